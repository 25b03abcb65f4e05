"""Any sequence of taking memory, keeping views, letting go, limiting what lies idle: never shared, always counted."""

import itertools

import hypothesis.strategies as st
import numpy as np
from examples import stateful
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mininet import track_memory
from mininet.kernels import buffers
from mininet.kernels.buffers import ALIGNMENT, SMALLEST
from mininet.memory import KINDS

LARGE = [(SMALLEST // 8, 2), (SMALLEST // 4,), (3, SMALLEST // 4), (SMALLEST // 8,), (4, SMALLEST), np.int64(SMALLEST)]
SHAPES = [(), (0,), 5, [2, 3], (100,), *LARGE]
VIEWS = {
    "all": lambda array: array,
    "flat": lambda array: array.reshape(-1),
    "every other": lambda array: array.reshape(-1)[::2],
    "turned": lambda array: array.T,
    "bytes": lambda array: array.reshape(-1).view(np.uint8),
    "of a memoryview": lambda array: np.asarray(memoryview(array)),
    "repeated": lambda array: np.broadcast_to(array, (3, *array.shape)),
    "stepped": lambda array: np.lib.stride_tricks.as_strided(array, array.shape, array.strides),
}


def place(array):
    start = array.__array_interface__["data"][0]
    return start, start + array.nbytes


class BufferMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        buffers.clear()
        self.limit = buffers.get_limit()
        self.tracking = track_memory()
        self.memory = self.tracking.__enter__()
        self.live, self.number = [], 0

    @rule(shape=st.sampled_from(SHAPES), dtype=st.sampled_from([np.float32, np.dtype(np.float64), "i8"]),
          kind=st.sampled_from([kind for kind in KINDS if kind != "idle buffers"]), zeroed=st.booleans())  # fmt: skip
    def take(self, shape, dtype, kind, zeroed):
        array = (buffers.zeros if zeroed else buffers.empty)(shape, dtype, kind)
        assert (array.shape, array.dtype) == (np.empty(shape).shape, np.dtype(dtype))
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.nbytes < buffers.SMALLEST or place(array)[0] % ALIGNMENT == 0
        assert not zeroed or not array.any()
        self.number += 1
        array.fill(self.number)
        # whole: where the block lies and how it is counted, which a view of it keeps
        self.live.append({"array": array, "copy": array.copy(), "place": place(array), "kind": kind})

    @rule(which=st.integers(0, 99), view=st.sampled_from(sorted(VIEWS)))
    def keep_a_view(self, which, view):
        if self.live:
            entry = self.live[which % len(self.live)]
            if view == "bytes" and not entry["array"].flags.c_contiguous:
                return  # NumPy cannot
            found = VIEWS[view](entry["array"])
            if np.shares_memory(found, entry["array"]):  # else it is a copy, or has no elements
                entry["array"], entry["copy"] = found, found.copy()

    @rule(which=st.integers(0, 99))
    def let_go(self, which):
        if self.live:
            self.live.pop(which % len(self.live))

    @rule(nbytes=st.sampled_from([0, SMALLEST, 3 * SMALLEST, 2**28]))
    def limit_idle(self, nbytes):
        buffers.set_limit(nbytes)
        assert buffers.get_limit() == nbytes

    @rule()
    def clear(self):
        limit = buffers.get_limit()
        buffers.clear()
        assert buffers.idle_bytes() == 0
        assert buffers.get_limit() == limit

    @invariant()
    def nobody_else_writes(self):
        assert all(np.array_equal(entry["array"], entry["copy"]) for entry in self.live)

    @invariant()
    def no_two_overlap(self):
        idle = [place(block.raw) for blocks in buffers._idle.values() for block in blocks]
        places = sorted(where for where in [*(entry["place"] for entry in self.live), *idle] if where[0] < where[1])
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(places))

    @invariant()
    def all_is_counted(self):
        idle = {size: blocks for size, blocks in buffers._idle.items() if blocks}
        assert buffers.idle_bytes() == sum(size * len(blocks) for size, blocks in idle.items()) <= buffers.get_limit()
        expected = dict.fromkeys(KINDS, 0)
        for entry in self.live:
            expected[entry["kind"]] += entry["place"][1] - entry["place"][0]
        expected["idle buffers"] = buffers.idle_bytes() + ALIGNMENT * sum(map(len, idle.values()))
        assert self.memory.current_by_kind == expected
        assert self.memory.peak_bytes >= self.memory.current_bytes == sum(expected.values())

    def teardown(self):
        self.live.clear()
        buffers.clear()
        try:
            assert self.memory.current_bytes == 0
        finally:
            self.tracking.__exit__(None, None, None)
            buffers.set_limit(self.limit)


test_memory_in_use_belongs_to_one = stateful(BufferMachine, share=5)
