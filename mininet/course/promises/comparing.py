"""What came beside what is right: their form, and why they differ."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...grader.contract import Broken, kind
from ...grader.promises import Results


def pair(example: str, name: str, came: Any, right: Any, parts: Sequence[str] = ()) -> Results:
    """List (name, what came, what is right) for all arrays in what is right, or raise `Broken` where forms differ."""
    if isinstance(right, (list, tuple)):
        if not isinstance(came, (list, tuple)) or len(came) != len(right):
            entries = f" ({', '.join(parts)})" if parts else ""
            raise Broken(example, f"{name} must be {kind(right)}{entries}, came {kind(came)}")
        names = parts or [f"{name}[{k}]" for k in range(len(right))]
        return [each for three in zip(names, came, right, strict=True) for each in pair(example, *three)]
    try:
        array = np.asarray(came)
    except ValueError:  # a list of lists of different lengths
        array = np.asarray(None)
    if array.dtype.kind not in "biuf" or array.shape != np.shape(right):
        form = f"numbers of shape {np.shape(right)}" if np.shape(right) else "a number"
        raise Broken(example, f"{name} must be {form}, came {kind(came)}")
    return [(name, array, np.asarray(right))]


@contextmanager
def explaining(why: Callable[[Broken], str | None]) -> Iterator[None]:
    """Let a `Broken` that is raised in this block say `why`, if there is something to say."""
    try:
        yield
    except Broken as error:
        raise Broken(error.example, error.came, why(error) or error.cause) from None
