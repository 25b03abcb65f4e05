"""Reading the state dicts of optimisers and schedules."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..base.checks import number, shown


def require_mapping(state: object) -> None:
    """Refuse a state that is no mapping."""
    if not isinstance(state, Mapping):
        raise TypeError(f"state must be a mapping, as state_dict gives it, got {type(state).__name__}")


def plain(value: Any) -> Any:
    """Make a plain number of an array with one element, which is how files store numbers."""
    return value.item() if isinstance(value, (np.ndarray, np.generic)) and value.size == 1 else value


def rates_in(name: str, state: Mapping[str, Any], count: int) -> list[float]:
    """Take the learning rates of `count` groups from a state."""
    rates = np.ravel(np.array(state.get(name), dtype=object)).tolist()
    if len(rates) != count:
        raise ValueError(f"{name} in state must be of {count} groups, got {shown(state.get(name))}")
    return [number(f"{name} in state", rate, 0) for rate in rates]
