"""What NumPy's own functions do with tensors: compute with plain arrays, or be the operation of the same name.

Without this, ``np.concatenate([a, b])`` would turn tensors into arrays, and no gradient would flow.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import functional
from .tape import is_recording
from .tensor import Tensor

_WITHOUT_GRADIENT = frozenset({
    "all", "allclose", "any", "argmax", "argmin", "argpartition", "argsort", "argwhere", "array2string", "array_equal",
    "array_equiv", "array_repr", "array_str", "bincount", "can_cast", "count_nonzero", "digitize", "empty_like",
    "flatnonzero", "full_like", "isclose", "may_share_memory", "min_scalar_type", "ndim", "nonzero", "ones_like",
    "result_type", "save", "savetxt", "savez", "searchsorted", "shape", "shares_memory", "size", "zeros_like",
})  # fmt: skip
"""Their results are no differentiable functions of their arguments."""

_INSTEAD = {
    **dict.fromkeys(("dot", "einsum", "inner", "tensordot", "vdot", "outer"), "F.matmul"),
    **dict.fromkeys(("ravel", "squeeze", "expand_dims", "atleast_1d", "atleast_2d"), "F.reshape"),
    **dict.fromkeys(("append", "block", "column_stack", "hstack", "vstack"), "F.concatenate or F.stack"),
    **dict.fromkeys(("moveaxis", "rollaxis", "swapaxes"), "F.transpose"),
    "amax": "F.max", "amin": "F.min", "average": "F.mean", "norm": "F.sqrt(F.sum(x * x))", "std": "F.sqrt(F.var(x))",
}  # fmt: skip


def array_function(
    tensor: Tensor, function: Callable[..., Any], types: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> Any:
    """What NumPy calls, as ``tensor.__array_function__``, when one of its functions is given a tensor."""
    name = function.__name__
    needs_gradient = is_recording() and any(each.requires_grad for each in _tensors((arguments, keywords)))
    if not needs_gradient or name in _WITHOUT_GRADIENT:
        return function(*_plain(arguments), **_plain(keywords))
    if name in functional.__all__ and function is getattr(np, name, None):
        return getattr(functional, name)(*arguments, **keywords)
    instead = _INSTEAD.get(name, "an operation of mininet.functional")
    raise TypeError(
        f"{function.__module__}.{name} would cut off the gradient of a tensor that requires one: use {instead}, or "
        "x.data where no gradient is wanted"
    )


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _tensors(entry)


def _plain(value: Any) -> Any:
    """`value` with arrays in place of tensors."""
    if isinstance(value, Tensor):
        return value.data
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return type(value)(map(_plain, value)) if type(value) in (tuple, list) else value


setattr(Tensor, "__array_function__", array_function)  # noqa: B010 - a method that the class does not declare
