"""The parameters given to an optimiser, in groups, and the norm of their gradients."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from ..autodiff import Tensor
from ..base.checks import number

Parameters: TypeAlias = Iterable[Tensor | Mapping[str, Any]]
"""Different leaves, or groups of them with settings of their own: ``[{"params": leaves, "lr": 0.1}, ...]``."""


def groups(parameters: Any) -> list[dict[str, Any]]:
    """Make a list of groups of parameters: of one, if they are given without groups."""
    groups = list(parameters) if isinstance(parameters, Iterable) and not isinstance(parameters, Tensor) else []
    if not groups or not all(isinstance(group, Mapping) for group in groups):
        return [{"params": leaves(groups or parameters)}]
    if not all("params" in group for group in groups):
        raise ValueError('parameters: a group needs its "params"')
    return [{**group, "params": leaves(group["params"])} for group in groups]


def leaves(parameters: Iterable[Tensor]) -> list[Tensor]:
    """Make a list of the parameters, which must be different leaves."""
    try:
        leaves = None if isinstance(parameters, Tensor) else list(parameters)  # a tensor would be taken row by row
    except TypeError:
        leaves = None
    if leaves is None:
        raise TypeError(f"parameters must be a sequence of tensors, got {type(parameters).__name__}")
    for parameter in leaves:
        if not isinstance(parameter, Tensor):
            raise TypeError(f"parameters must be tensors, got {type(parameter).__name__}")
        if parameter.slot is not None and parameter.slot.record is not None:
            raise ValueError(f"parameters must be leaves, got one of shape {parameter.shape} that was computed")
    if not leaves:
        raise ValueError("parameters must hold at least one tensor")
    if len(set(leaves)) < len(leaves):
        raise ValueError("parameters must differ, got one of them twice")
    return leaves


def clip_grad_norm(parameters: Iterable[Tensor], max_norm: float) -> float:
    """Scale all gradients, in place, so that their norm together is at most `max_norm`, and return what it was.

    Parameters
    ----------
    parameters : iterable of Tensor
        Those without a gradient are left out.
    max_norm : float
        At least 0.

    Examples
    --------
    >>> p = nn.Parameter([1.0, 2.0])
    >>> (p * [3.0, 4.0]).sum().backward()
    >>> clip_grad_norm([p], 1.0)
    5.0
    >>> p.grad
    array([0.6, 0.8], dtype=float32)
    """
    limit = number("max_norm", max_norm, 0)
    gradients = [parameter.grad for parameter in leaves(parameters) if parameter.grad is not None]
    norm = math.hypot(*(float(np.linalg.norm(gradient.astype(np.float64))) for gradient in gradients))
    if norm > limit:
        for gradient in gradients:
            gradient *= limit / norm
    return norm
