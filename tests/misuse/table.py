"""What a row of the tables is, and small arrays for them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mininet import Tensor, nn

NAN, INF = float("nan"), float("inf")


class Case(NamedTuple):
    """A use of a public callable that is refused with an error, or that works though it is unusual."""

    of: object
    what: str
    call: Callable
    error: type | None = None
    says: str = ""
    expected: Callable | None = None

    def __str__(self):
        return f"{self.of.__module__.removeprefix('mininet.')}.{self.of.__qualname__}: {self.what}"


def case(of, what, call, error, says):
    """``call(of)`` raises `error`, whose text `says` which argument is wrong."""
    return Case(of, what, call, error, says)


def works(of, what, call, expected):
    """``call(of)`` gives what ``expected()`` gives, exactly."""
    return Case(of, what, call, expected=expected)


def each(of, name, call, types=(), values=(), other=(None, ()), says=None):
    """A `case` for each bad value of the argument `name`: ``call(of, value)``.

    `types` must lead to a TypeError, `values` to a ValueError, the values of the pair `other` to its first.
    """
    return [
        case(of, f"{name} = {_short(value)}", lambda f, v=value: call(f, v), error, name if says is None else says)
        for error, bad in ((TypeError, types), (ValueError, values), other) for value in bad
    ]  # fmt: skip


def _short(value):
    text = f"array{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else repr(value)
    # names with addresses in them would be others in each process of pytest-xdist
    return text if len(text) < 40 and " at 0x" not in text else type(value).__name__


# What every argument of a kind must refuse

NO_INTEGERS = (1.5, "2", True)
NO_NUMBERS = (NAN, INF, "0.1", True)
NO_FLAGS = ("no", None)
NO_NAMES = ("", "unknown", None)


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


def random(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def leaf(*shape):
    return Tensor(random(*shape), requires_grad=True)


def dense(features=4):
    """A small layer, the same each time."""
    layer = nn.Linear(features, features)
    layer.weight.data[...], layer.bias.data[...] = np.eye(features), 0
    return nn.Sequential(layer, nn.Tanh())


def entered(context):
    """What entering a context and leaving it again gives."""
    with context as inside:
        return inside
