"""Memory that is used again: never while it is in use, counted, limited, and gone without a trace."""

import collections
import contextlib
import gc
import itertools
import os
import sys
import textwrap
import threading
import tracemalloc
import types

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support import run_python

from mininet import track_memory
from mininet.kernels import buffers
from mininet.kernels.buffers import ALIGNMENT, SMALLEST, clear, empty, get_limit, idle_bytes, set_limit, zeros


@pytest.fixture(autouse=True)
def nothing_idle():
    before = get_limit()
    gc.collect()
    clear()
    yield
    gc.collect()
    clear()
    set_limit(before)


def address(array):
    return array.__array_interface__["data"][0]


def is_consistent():
    """The count of idle bytes agrees with the idle blocks, and with the limit."""
    found = sum(size * len(blocks) for size, blocks in buffers._idle.items())
    return idle_bytes() == found <= get_limit() and all(buffers._idle.values())


# What is given out


@pytest.mark.parametrize("make", [empty, zeros])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8, "f4", np.dtype(np.uint32)])
@pytest.mark.parametrize(
    "shape", [(), (0,), (3, 0, 2), 5, (5,), [2, 3], (7, 3, 5), (70, 31, 51), 2**17, np.int64(40000)]
)
def test_tiny_an_array_like_that_of_numpy(shape, dtype, make):
    for _ in range(2):  # new, and used again
        array, expected = make(shape, dtype), np.zeros(shape, dtype)
        assert (array.shape, array.dtype) == (expected.shape, expected.dtype)
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.nbytes < SMALLEST or address(array) % ALIGNMENT == 0
        if make is zeros:
            assert np.array_equal(array, expected)
        array.fill(7)
        assert (array == 7).all()
        del array


def test_tiny_memory_is_used_again():
    a = empty((2, SMALLEST), np.float32)
    first = address(a)
    del a
    assert idle_bytes() == 8 * SMALLEST
    b = empty((SMALLEST,), np.float64)  # as many bytes
    assert address(b) == first
    assert idle_bytes() == 0
    c = empty((SMALLEST,), np.float64)
    assert address(c) != first


def test_tiny_small_arrays_are_left_to_the_c_library():
    a, b = empty(SMALLEST - 1, np.uint8), empty(SMALLEST, np.uint8)
    del a
    assert idle_bytes() == 0
    del b
    assert idle_bytes() == SMALLEST


VIEWS = {
    "slice": lambda a: a[1:],
    "one number": lambda a: a[5:6],
    "strided": lambda a: a[::3],
    "reshaped": lambda a: a.reshape(2, -1),
    "transposed": lambda a: a.reshape(2, -1).T[1:],
    "other type": lambda a: a.view(np.uint8),
    "view of a view": lambda a: a[2:].reshape(-1, 1)[1:],
    "repeated": lambda a: np.broadcast_to(a, (3, a.size)),
    "memoryview": memoryview,
    "array of a memoryview": lambda a: np.asarray(memoryview(a)),
    "windows": lambda a: np.lib.stride_tricks.sliding_window_view(a, 3),
    "stepped": lambda a: np.lib.stride_tricks.as_strided(a, (3,), (4,)),
    "iterator": lambda a: a.flat,
}


@pytest.mark.parametrize("look", VIEWS.values(), ids=VIEWS)
def test_tiny_a_view_keeps_the_memory(look):
    a = empty(SMALLEST, np.float32)
    first = address(a)
    view = look(a)
    del a
    assert idle_bytes() == 0
    others = [empty(SMALLEST, np.float32) for _ in range(3)]
    assert first not in map(address, others)
    del view
    assert idle_bytes() == 4 * SMALLEST
    assert address(empty(SMALLEST, np.float32)) == first


def test_tiny_a_view_in_a_cycle_comes_back_when_it_is_collected():
    cycle = [empty(SMALLEST, np.float32)[3:]]
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert idle_bytes() == 4 * SMALLEST


class Owner:
    """Gives out arrays, each filled with a number of its own, and sees whether somebody else writes to them."""

    def __init__(self, base):
        self.base, self.given, self.live = base, 0, []

    def take(self, size, shape):
        array = empty(size if shape else (1, size, 1), np.float32)
        array.fill(self.base + self.given)
        self.live.append((self.base + self.given, array))
        self.given += 1

    def let_go(self, which):
        if self.live:
            self.live.pop(which % len(self.live))

    def keep_a_view(self, which):
        if self.live:
            number, array = self.live.pop(which % len(self.live))
            self.live.append((number, array.reshape(-1)[which % 7 :: 2]))

    def look(self):
        assert all((array == number).all() for number, array in self.live)


ACTIONS = st.one_of(
    st.tuples(st.just("take"), st.sampled_from([SMALLEST // 4, SMALLEST, SMALLEST + 1, 100]), st.booleans()),
    st.tuples(st.just("let_go"), st.integers(0, 50)),
    st.tuples(st.just("keep_a_view"), st.integers(0, 50)),
    st.tuples(st.just("limit"), st.sampled_from([0, 2**18, 2**28])),
    st.tuples(st.just("clear")),
)


@given(st.lists(ACTIONS, max_size=60))
@settings(deadline=None, max_examples=60, derandomize=True)
def test_memory_in_use_is_never_given_out(actions):
    owner = Owner(1)
    for name, *arguments in actions:
        if name == "limit":
            set_limit(*arguments)
        elif name == "clear":
            clear()
            assert idle_bytes() == 0
        else:
            getattr(owner, name)(*arguments)
        owner.look()
        assert is_consistent()
        blocks = [
            (address(array), address(array) + array.nbytes) for _, array in owner.live if array.flags.c_contiguous
        ]
        idle = [block.raw for blocks_of_a_size in buffers._idle.values() for block in blocks_of_a_size]
        ranges = sorted(blocks + [(address(raw), address(raw) + raw.nbytes) for raw in idle])
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(ranges))
    owner.live.clear()
    set_limit(2**28)


def test_memory_in_use_is_never_given_out_to_another_thread():
    # each thread hands some of its arrays to the next one, which lets go of them
    failures, inboxes = [], [[] for _ in range(3)]

    def run(me):
        random = np.random.default_rng(me)
        owner = Owner(1000 * me)
        try:
            for _ in range(400):
                action = random.integers(6)
                if action < 3:
                    owner.take(SMALLEST // 4 + int(random.integers(2)), True)
                elif action == 3:
                    owner.let_go(int(random.integers(50)))
                elif action == 4 and owner.live:
                    inboxes[(me + 1) % 3].append(owner.live.pop())
                else:
                    inbox, inboxes[me] = inboxes[me], []
                    assert all((array == number).all() for number, array in inbox)
                owner.look()
                del owner.live[:-8]
        except BaseException as error:
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=run, args=(me,)) for me in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(interval)
    assert failures == []
    inboxes.clear()
    assert is_consistent()
    assert idle_bytes() > 0


# How much lies idle


def test_tiny_the_limit_is_kept_and_the_sizes_asked_for_longest_ago_go_first():
    sizes = [SMALLEST * factor for factor in (1, 2, 3, 4)]
    arrays = [empty(size, np.uint8) for size in sizes]
    while arrays:
        arrays.pop(0)
    assert list(buffers._idle) == sizes
    for size in (sizes[1], sizes[0]):  # asked for again, the smallest last
        again = [empty(size, np.uint8)]
        del again
    assert list(buffers._idle)[2:] == [sizes[1], sizes[0]]
    set_limit(9 * SMALLEST)
    assert sorted(buffers._idle) == [sizes[0], sizes[1], sizes[3]]  # of the untouched two, the older has gone
    assert idle_bytes() == 7 * SMALLEST
    set_limit(3 * SMALLEST)
    assert sorted(buffers._idle) == [sizes[0], sizes[1]]
    set_limit(3 * SMALLEST - 1)
    assert sorted(buffers._idle) == [sizes[0]]
    large = empty(SMALLEST * 4, np.uint8)
    del large  # larger than the limit: whatever goes, it is kept
    assert idle_bytes() <= get_limit()
    assert is_consistent()


def test_tiny_several_blocks_of_one_size_are_asked_for_at_once():
    arrays = [empty(SMALLEST, np.uint8) for _ in range(3)]
    other = empty(2 * SMALLEST, np.uint8)
    del arrays, other
    assert list(buffers._idle) == [SMALLEST, 2 * SMALLEST]
    one = empty(SMALLEST, np.uint8)
    assert {size: len(blocks) for size, blocks in buffers._idle.items()} == {2 * SMALLEST: 1, SMALLEST: 2}
    assert list(buffers._idle) == [2 * SMALLEST, SMALLEST]
    set_limit(3 * SMALLEST)
    assert list(buffers._idle) == [SMALLEST]
    del one
    assert len(buffers._idle[SMALLEST]) == 3


def test_tiny_a_limit_of_0_turns_reuse_off():
    set_limit(0)
    for size in (SMALLEST, 100 * SMALLEST):
        a = empty(size, np.float64)
        assert address(a) % ALIGNMENT == 0
        del a
        assert idle_bytes() == 0
        assert buffers._idle == {}


def test_tiny_what_was_given_out_before_the_limit_is_freed_after_it():
    a = empty(SMALLEST, np.float64)
    set_limit(0)
    del a
    assert idle_bytes() == 0
    set_limit(2**20)
    b = empty(SMALLEST, np.float64)
    del b
    assert idle_bytes() == 8 * SMALLEST


def test_tiny_clear_keeps_the_limit_and_what_is_in_use():
    set_limit(12345678)
    a, b = empty(SMALLEST, np.float64), empty(SMALLEST, np.float64)
    a.fill(3)
    del b
    clear()
    assert idle_bytes() == 0
    assert get_limit() == 12345678
    assert (a == 3).all()


def test_tiny_limit_is_an_integer_of_at_least_0():
    before = get_limit()
    with pytest.raises(ValueError, match="nbytes must be at least 0, got -1"):
        set_limit(-1)
    with pytest.raises(TypeError):
        set_limit(1.5)
    assert get_limit() == before
    set_limit(np.int64(3))
    assert get_limit() == 3


# Memory that is counted


def current(tracker):
    """What is counted now; an idle block is larger than the array that it was, by what its alignment takes."""
    blocks = sum(map(len, buffers._idle.values()))
    found = {kind: nbytes for kind, nbytes in tracker.current_by_kind.items() if nbytes}
    assert sum(found.values()) == tracker.current_bytes
    return {**found, "idle buffers": found["idle buffers"] - ALIGNMENT * blocks} if blocks else found


def test_tiny_counted_as_what_it_is_used_for():
    with track_memory() as tracker:
        a = empty((3, SMALLEST), np.uint8)
        b = zeros((SMALLEST,), np.uint8, "workspace")
        assert current(tracker) == {"transient": 3 * SMALLEST, "workspace": SMALLEST}
        view = a[1]
        del a
        assert current(tracker) == {"transient": 3 * SMALLEST, "workspace": SMALLEST}
        del view
        assert current(tracker) == {"idle buffers": 3 * SMALLEST, "workspace": SMALLEST}
        del b
        assert current(tracker) == {"idle buffers": 4 * SMALLEST}
        c = empty(3 * SMALLEST, np.uint8, "state")
        assert current(tracker) == {"idle buffers": SMALLEST, "state": 3 * SMALLEST}
        del c
        clear()
        assert current(tracker) == {}
        assert 4 * SMALLEST <= tracker.peak_bytes <= 4 * (SMALLEST + ALIGNMENT)


def test_tiny_small_arrays_and_arrays_without_reuse_are_counted_too():
    with track_memory() as tracker:
        a = empty(100, np.uint8, "gradients")
        set_limit(0)
        b = empty(SMALLEST, np.uint8, "workspace")
        assert current(tracker) == {"gradients": 100, "workspace": SMALLEST}
        del a, b
        assert current(tracker) == {}


@pytest.mark.parametrize("limit", [0, 2**20, 2**28])
def test_count_agrees_with_the_allocator(limit):
    # besides the arrays there are up to 64 bytes for each block's alignment, and objects of Python of some 1000 bytes
    set_limit(limit)
    random = np.random.default_rng(0)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        with track_memory() as tracker:
            live, most = [], 0
            for step in range(300):
                if live and random.integers(2):
                    live.pop(int(random.integers(len(live))))
                else:
                    live.append(empty(SMALLEST * int(random.integers(1, 9)), np.uint8))
                    most = max(most, len(live) + sum(map(len, buffers._idle.values())))
                if step % 20 == 0:
                    held = tracemalloc.get_traced_memory()[0] - before
                    assert tracker.current_bytes <= held <= tracker.current_bytes + 3000 * most + 30_000
                    assert current(tracker).get("idle buffers", 0) == idle_bytes()
                    assert current(tracker).get("transient", 0) == sum(array.nbytes for array in live)
            peak = tracemalloc.get_traced_memory()[1] - before
            assert tracker.peak_bytes <= peak <= tracker.peak_bytes + 3000 * most + 30_000
            assert tracker.peak_bytes > 10 * SMALLEST
            live.clear()
            clear()
            assert tracker.current_bytes == 0
    finally:
        tracemalloc.stop()


# Interruptions: by the collector, by Ctrl-C, by fork, by the end


def test_collections_at_any_moment_keep_the_books():
    # the collector may run, and bring memory back, at every allocation, also of one within `empty`
    errors, hook, threshold = [], sys.unraisablehook, gc.get_threshold()
    sys.unraisablehook = lambda error: errors.append(error.exc_value)
    set_limit(5 * SMALLEST)
    gc.set_threshold(1)
    try:
        with track_memory():
            for number in range(600):
                cycle = types.SimpleNamespace(array=empty(SMALLEST * (1 if number % 3 else 2), np.uint8))
                cycle.itself = cycle
                del cycle
                array = empty(SMALLEST, np.uint8)
                assert is_consistent(), number
        del array
    finally:
        gc.set_threshold(*threshold)
        sys.unraisablehook = hook
    assert errors == []


COLLECTED_WHILE_COUNTING = """
import os, threading, time
import numpy as np
from mininet import memory, track_memory
from mininet.kernels import buffers

dying = [buffers.empty(2**16, np.uint8)]
counted = threading.Event()

def count():
    with memory.lock:  # within `note`, say, where it makes objects, so that the collector may run
        counted.set()
        time.sleep(0.3)
        dying.clear()

def free():
    counted.wait()
    buffers.set_limit(2**15)

tracking = track_memory()  # left open: closing it takes the lock
tracking.__enter__()
idle = buffers.empty(2**17, np.uint8)
del idle
threads = [threading.Thread(target=work, daemon=True) for work in (count, free)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(5)
print("hangs" if any(thread.is_alive() for thread in threads) else "done", flush=True)
os._exit(0)
"""


def test_collections_while_several_threads_are_counted_do_not_hang():
    # who brings memory back must not wait for a lock that is held by who waits for the count
    process = run_python("-c", COLLECTED_WHILE_COUNTING, timeout=60)
    assert process.stdout.strip() == "done", process.stderr


class DisturbedDict(collections.OrderedDict):
    """Something happens when a method of the dictionary has just returned, which is when Python looks at signals."""

    def disturb(self):
        pass

    def get(self, *arguments):
        found = super().get(*arguments)
        self.disturb()
        return found

    def pop(self, *arguments):
        found = super().pop(*arguments)
        self.disturb()
        return found

    def move_to_end(self, *arguments):
        super().move_to_end(*arguments)
        self.disturb()


@pytest.fixture
def idle():
    """Three blocks lie idle, in a dictionary that can be disturbed."""
    arrays = [empty(SMALLEST, np.uint8) for _ in range(3)]
    del arrays
    buffers._idle = DisturbedDict(buffers._idle)
    yield buffers._idle
    buffers._idle = collections.OrderedDict()


@pytest.mark.parametrize("call", range(3))
def test_ctrl_c_within_empty_keeps_the_books(idle, call):
    calls = itertools.count()

    def disturb():
        if next(calls) == call:
            raise KeyboardInterrupt

    idle.disturb = disturb
    with contextlib.suppress(KeyboardInterrupt):
        empty(SMALLEST, np.uint8)
    del idle.disturb
    assert is_consistent()
    clear()
    assert idle_bytes() == 0


@pytest.mark.parametrize("call", range(3))
@pytest.mark.parametrize("size", [SMALLEST, 2 * SMALLEST])
def test_memory_that_comes_back_within_empty_is_not_lost(idle, size, call):
    # from Python 3.12 on the collector may run whenever a call returns, and free an array that is part of a cycle
    dying, calls = [empty(size, np.uint8)], itertools.count()

    def disturb():
        if next(calls) == call:
            dying.clear()

    idle.disturb = disturb
    array = empty(SMALLEST, np.uint8)
    del idle.disturb
    assert dying == [] or call > 0
    dying.clear()
    array.fill(1)
    assert is_consistent()
    assert idle_bytes() == (2 * SMALLEST if size == SMALLEST else 4 * SMALLEST)


def test_memory_that_another_thread_brings_back_meanwhile_is_not_lost(idle):
    dying, others = [empty(SMALLEST, np.uint8)], []

    def disturb():
        if not others:
            others.append(threading.Thread(target=dying.clear))
            others[0].start()
            others[0].join(0.3)  # it may have to wait

    idle.disturb = disturb
    array = empty(SMALLEST, np.uint8)
    others[0].join(60)
    assert dying == []
    array.fill(1)
    assert is_consistent()
    assert idle_bytes() == 2 * SMALLEST


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("lock", ["nobody", "memory.lock"])
def test_a_forked_child_goes_on(lock):
    # another thread of the parent, which does not exist in the child, may just then be holding a lock
    script = f"""
        import contextlib, os, signal, sys, threading, warnings
        import numpy as np
        from mininet import memory, track_memory
        from mininet.kernels import buffers

        nobody = contextlib.nullcontext()
        kept, idle = buffers.empty(2**16, np.uint8), buffers.empty(2**16, np.uint8)
        kept.fill(1)
        del idle
        held, done = threading.Event(), threading.Event()

        def hold():
            with {"nobody" if lock == "nobody" else lock}:
                held.set()
                done.wait()

        threading.Thread(target=hold, daemon=True).start()
        held.wait()
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and later warn about fork and threads
        child = os.fork()
        if child == 0:
            signal.alarm(5)
            with track_memory() as tracker:
                array = buffers.empty(2**16, np.uint8)
                array.fill(2)
                fine = (kept == 1).all() and tracker.current_bytes == 2**16 and buffers.idle_bytes() == 0
                del array
                fine = fine and buffers.idle_bytes() == 2**16
            os._exit(not fine)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        done.set()
        array = buffers.empty(2**16, np.uint8)
        sys.exit(status != 0 or not (kept == 1).all())
    """
    process = run_python("-c", textwrap.dedent(script), timeout=60)
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize(
    "keep",
    [
        "kept = array",
        "import builtins; builtins.kept = array",
        "kept = [array]; kept.append(kept)",
        "import threading; threading.kept = array",
        "import numpy; numpy.kept = array",
        "import atexit; atexit.register(print, array.nbytes)",
        "import threading, time; threading.Thread(target=lambda a: time.sleep(9), args=(array,), daemon=True).start()",
    ],
)
def test_arrays_that_outlive_the_interpreter_do_so_in_silence(keep):
    script = f"""
        import numpy as np
        from mininet.kernels.buffers import empty

        other, idle, array = (empty(2**16, np.float32) for _ in range(3))
        del idle
        {keep}
    """
    process = run_python("-W", "error", "-c", textwrap.dedent(script), timeout=60)
    assert (process.returncode, process.stderr) == (0, "")
