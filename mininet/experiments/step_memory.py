"""What a training step holds in memory, counted so that it is the same on every machine."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tqdm import tqdm

from ..autodiff import Tensor
from ..autodiff import functional as F
from ..kernels import buffers
from ..kernels.threads import get_num_threads, set_num_threads
from ..memory import MemoryTracker, track_memory


def held_by(step: Callable[[], object]) -> MemoryTracker:
    """A `MemoryTracker` of calling `step`, as a plain program would run it.

    Reuse of memory is off, and there is one thread: others let go of arrays at moments that depend on the machine.
    """
    limit, threads = buffers.get_limit(), get_num_threads()
    buffers.set_limit(0)
    set_num_threads(1)
    try:
        with track_memory() as memory:
            step()
    finally:
        buffers.set_limit(limit)
        set_num_threads(threads)
    return memory


def by_method(
    methods: Iterable[str], depths: Sequence[int], measure: Callable[[str, int], Any], progress: bool
) -> dict[str, list[Any]]:
    """`measure(method, depth)` for every method and depth: a list by depth for each method."""
    found: dict[str, list[Any]] = {method: [] for method in methods}
    for method, depth in tqdm(list(itertools.product(found, depths)), desc="memory by depth", disable=not progress):
        found[method].append(measure(method, depth))
    return found


def held_by_a_step(make_net: Callable[[], Any], images: Any, labels: Any) -> MemoryTracker:
    """A `MemoryTracker` of making a network and the gradients of a batch, with the reuse of memory turned off."""

    def step() -> None:
        net = make_net()  # held until the end, as in training
        F.cross_entropy(net(Tensor(images)), labels).backward()

    return held_by(step)
