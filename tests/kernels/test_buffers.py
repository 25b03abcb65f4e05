"""Memory that is used again; `tests/generated/test_buffers.py` looks at any order of calls."""

import gc
import os
import sys
import textwrap
import threading
import types

import numpy as np
import pytest
from support import run_python

from mininet import track_memory
from mininet.kernels import buffers
from mininet.kernels.buffers import SMALLEST, clear, empty, get_limit, idle_bytes, set_limit


@pytest.fixture(autouse=True)
def nothing_idle():
    gc.collect()  # garbage would come back as idle memory at some moment
    before = get_limit()
    clear()
    yield
    clear()
    set_limit(before)


def address(array):
    return array.__array_interface__["data"][0]


def is_consistent():
    """The count of idle bytes agrees with the idle blocks, and with the limit."""
    found = sum(size * len(blocks) for size, blocks in buffers._idle.items())
    return idle_bytes() == found <= get_limit() and all(buffers._idle.values())


def test_tiny_kernels_get_one_kind_of_array():
    array = np.arange(6.0).reshape(2, 3)
    assert buffers.contiguous(array) is array
    read_only = np.broadcast_to(array, array.shape)
    shifted = np.frombuffer(bytearray(49), np.uint8)[1:].view(np.float64).reshape(2, 3)
    for other in (read_only, shifted, array.T):
        copy = buffers.contiguous(other)
        assert copy.flags.carray
        assert np.array_equal(copy, other)


def test_tiny_memory_is_used_again_unless_it_is_little():
    a, little = empty((2, SMALLEST), np.float32), empty(SMALLEST - 1, np.uint8)
    first = address(a)
    del a, little
    assert idle_bytes() == 8 * SMALLEST
    b = empty((SMALLEST,), np.float64)  # as many bytes
    assert address(b) == first
    assert idle_bytes() == 0
    c = empty((SMALLEST,), np.float64)
    assert address(c) != first


def test_memory_in_use_is_never_given_out_to_another_thread():
    # each thread fills arrays with a number of its own, and hands some to the next one, which lets go of them
    failures, inboxes = [], [[] for _ in range(3)]

    def run(me):
        random, number, live = np.random.default_rng(me), 1000 * me, []
        try:
            for _ in range(400):
                action = random.integers(6)
                if action < 3:
                    number += 1
                    live.append((number, empty(SMALLEST // 4 + int(random.integers(2)), np.float32)))
                    live[-1][1].fill(number)
                elif action == 3 and live:
                    live.pop(int(random.integers(len(live))))
                elif action == 4 and live:
                    inboxes[(me + 1) % 3].append(live.pop())
                else:
                    inbox, inboxes[me] = inboxes[me], []
                    assert all((array == number).all() for number, array in inbox)
                assert all((array == number).all() for number, array in live)
                del live[:-8]
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


def test_collections_at_any_moment_keep_the_books():
    # the collector may run, and bring memory back, at every allocation, also of one within `empty`
    errors, hook, threshold = [], sys.unraisablehook, gc.get_threshold()
    sys.unraisablehook = lambda error: errors.append(error.exc_value)
    set_limit(5 * SMALLEST)
    gc.set_threshold(1)
    try:
        with track_memory():
            for number in range(200):
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


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_goes_on():
    # another thread of the parent, which does not exist in the child, is just then holding the lock
    script = """
        import os, signal, sys, threading, warnings
        import numpy as np
        from mininet.base import instruments
        from mininet.kernels import buffers

        kept = buffers.empty(2**16, np.uint8)
        kept.fill(1)
        held, done = threading.Event(), threading.Event()

        def hold():
            with instruments.lock:
                held.set()
                done.wait()

        threading.Thread(target=hold, daemon=True).start()
        held.wait()
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and later warn about fork and threads
        child = os.fork()
        if child == 0:
            signal.alarm(5)
            buffers.empty(2**16, np.uint8).fill(2)
            os._exit(not (kept == 1).all() or buffers.idle_bytes() != 2**16)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        done.set()
        buffers.empty(2**16, np.uint8)  # waits for the lock
        sys.exit(status != 0 or not (kept == 1).all())
    """
    process = run_python("-c", textwrap.dedent(script), timeout=60)
    assert process.returncode == 0, process.stderr
