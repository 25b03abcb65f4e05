"""The file that a training goes on from: written as a whole or not at all, and read from all of it or from nothing."""

import dataclasses
import json
import math
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..base.files import written_atomically
from ..base.npz import read_npz, write_npz
from ..base.types import AnyArray

CHECKPOINT = "checkpoint.npz"
_FORMAT = 1


@dataclasses.dataclass
class Counts:
    """How far an epoch has come."""

    steps: int
    loss: float  # summed over what was seen
    right: int
    seen: int
    seconds: float


@dataclasses.dataclass
class Position:
    """Where a training stands, beside the states of its parts."""

    random: tuple[int, int]
    history: list[list[float]]
    epoch: Counts


def write(path: pathlib.Path, states: dict[str, dict[str, Any]], stands: Position, description: dict[str, Any]) -> None:
    """Write the states of parts by name, where the training stands, and what it is."""
    arrays: dict[str, Any] = {
        f"{part}.{name}": value for part, state in states.items() for name, value in state.items()
    }
    arrays["random.seed"], arrays["random.draw"] = map(np.uint64, stands.random)
    arrays["history"] = np.array(stands.history).reshape(-1, 5)
    arrays["epoch"] = np.array(dataclasses.astuple(stands.epoch))
    arrays["description"] = np.array(json.dumps([_FORMAT, description], sort_keys=True))
    with written_atomically(path) as temporary:
        write_npz(temporary, arrays)


def load(path: pathlib.Path, parts: Mapping[str, Any], description: dict[str, Any], batches: int) -> Position:
    """Let all `parts` take over their states, and return where the training stood; an epoch has so many batches.

    Raises
    ------
    ValueError
        If the file is damaged or from a training with another description; nothing is changed then.
    OSError
        If the file cannot be opened.
    """
    arrays = read_npz(path)
    expected = json.loads(json.dumps([_FORMAT, description]))
    try:
        made_by = json.loads(_taken(arrays, "description", "U", ()).item())
        stood = _position(arrays, batches)
        if made_by == expected:
            _load_states(arrays, parts)
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path} is not a whole checkpoint: {error}") from None
    if made_by != expected:
        raise ValueError(f"{path} is from another training: {_differences(made_by, expected)}")
    return stood


def _position(arrays: dict[str, AnyArray], batches: int) -> Position:
    """Take where the training stood out of a checkpoint."""
    random = int(_taken(arrays, "random.seed", "u", ())), int(_taken(arrays, "random.draw", "u", ()))
    rows = np.size(arrays.get("history", ())) // 5
    history = _taken(arrays, "history", "f", (rows, 5)).tolist()
    steps, loss, right, seen, seconds = _taken(arrays, "epoch", "f", (5,)).tolist()
    if not all(count.is_integer() for count in (steps, right, seen)) or not math.isfinite(loss + seconds):
        raise ValueError("an epoch is not made of such numbers")
    if not 0 <= right <= seen or not 0 <= steps <= batches:
        raise ValueError(f"an epoch has {batches} batches, it was after {steps:g} of them")
    return Position(random, history, Counts(int(steps), loss, int(right), int(seen), seconds))


def _taken(arrays: dict[str, AnyArray], name: str, kind: str, shape: tuple[int, ...]) -> AnyArray:
    """Take an entry of this kind and shape out of a checkpoint."""
    if name not in arrays:
        raise ValueError(f"it lacks {name}")
    array = arrays.pop(name)
    if array.dtype.kind != kind or array.shape != shape:
        raise ValueError(f"{name} is {array.dtype} of shape {array.shape}")
    return array


def _load_states(arrays: dict[str, AnyArray], parts: Mapping[str, Any]) -> None:
    """Let all parts take over their states, or none of them."""
    states: dict[str, dict[str, AnyArray]] = {name: {} for name in parts}
    before = {name: part.state_dict() for name, part in parts.items()}
    for name, array in arrays.items():
        part, _, rest = name.partition(".")
        if part not in parts:
            raise ValueError(f"it has {name!r}")
        states[part][rest] = array
    try:
        for name, part in parts.items():
            part.load_state_dict(states[name])
    except BaseException:
        for name, part in parts.items():
            part.load_state_dict(before[name])
        raise


def _differences(found: Any, expected: list[Any]) -> str:
    """What differs between two descriptions of a training: entry by entry where both have names for them."""
    match found:
        case [version, dict(before)] if version == expected[0]:
            now = expected[1]
            pairs = {name: (before.get(name), now.get(name)) for name in dict.fromkeys([*now, *before])}
            return ", ".join(f"{name} was {old!r}, is now {new!r}" for name, (old, new) in pairs.items() if old != new)
    return f"{found}, expected {expected}"
