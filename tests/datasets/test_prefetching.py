"""However an iteration ends, its thread ends with it."""

import _thread
import gc
import itertools
import queue
import threading
import time
import weakref

import pytest
from support import run_python

from mininet.datasets import prefetching
from mininet.datasets.prefetching import THREAD_NAME, prefetched


def threads():
    return [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    assert not threads()
    yield
    assert not threads()


@pytest.mark.parametrize("count", [1, 2, 100])
def test_all_items_come_in_order(count):
    assert list(prefetched(iter(range(50)), count)) == list(range(50))
    assert list(prefetched(iter(()), count)) == []


def test_thread_is_a_daemon_that_starts_with_the_first_item():
    iterator = prefetched(itertools.count(), 2)
    assert not threads()
    assert next(iterator) == 0
    (thread,) = threads()
    assert thread.daemon
    iterator.close()


def test_giving_up_ends_the_thread():
    for item in prefetched(itertools.count(), 2):
        if item == 3:
            break
    assert not threads()

    def fails():
        for _ in prefetched(itertools.count(), 2):
            raise KeyError("of the consumer")

    with pytest.raises(KeyError):
        fails()
    assert not threads()
    iterator = prefetched(itertools.count(), 2)
    next(iterator)
    del iterator
    assert not threads()


def test_giving_up_waits_for_the_present_item_only():
    started = []

    def slow():
        for number in itertools.count():
            started.append(number)
            time.sleep(0.05)
            yield number

    iterator = prefetched(slow(), 100)
    next(iterator)
    start = time.monotonic()
    iterator.close()
    assert time.monotonic() - start < 2  # all hundred would take 5
    assert len(started) < 50


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_exceptions_of_the_items_come_in_their_place_with_traceback(error):
    def failing():
        yield 1
        raise error("here")

    iterator = prefetched(failing(), 5)
    assert next(iterator) == 1
    with pytest.raises(error, match="here") as caught:
        next(iterator)
    assert "failing" in [entry.name for entry in caught.traceback]
    with pytest.raises(StopIteration):
        next(iterator)


class Item:
    pass


def test_nothing_is_kept_alive():
    gc.disable()  # so that reference cycles would show
    try:

        def failing(item):
            yield item
            raise ZeroDivisionError

        item = Item()
        alive = weakref.ref(item)
        iterator = prefetched(failing(item), 1)
        del item
        next(iterator)
        with pytest.raises(ZeroDivisionError) as caught:
            next(iterator)
        del caught, iterator
        assert alive() is None
        iterator = prefetched((Item() for _ in range(10)), 3)
        alive = weakref.ref(next(iterator))
        next(iterator)
        assert alive() is None
        del iterator
    finally:
        gc.enable()


def test_an_item_is_let_go_of_while_the_next_is_waited_for():
    first, asked = [], threading.Event()

    def items():
        yield Item()
        asked.wait(10)
        deadline = time.monotonic() + 5
        while first[0]() is not None and time.monotonic() < deadline:
            time.sleep(0.001)
        yield first[0]() is None

    iterator = prefetched(items(), 1)
    first.append(weakref.ref(next(iterator)))
    asked.set()
    assert next(iterator)
    iterator.close()


def test_ctrl_c_while_waiting_for_an_item():
    release = threading.Event()

    def stuck():
        yield 1
        timer = threading.Timer(0.2, release.set)  # lets the item end, some time after the interrupt
        _thread.interrupt_main()
        timer.start()
        release.wait(10)
        timer.join()
        yield 2

    def consume():
        for _ in prefetched(stuck(), 1):
            pass

    with pytest.raises(KeyboardInterrupt):
        consume()
    assert not threads()


def test_collected_in_its_own_thread_does_not_wait_for_itself():
    # as the garbage collector may do; SimpleQueue and the guard against joining oneself make it safe
    handed_over = queue.SimpleQueue()

    def closes():
        yield 1
        handed_over.get().close()
        closed.set()
        yield 2

    closed = threading.Event()
    iterator = prefetched(closes(), 1)
    next(iterator)
    handed_over.put(iterator)
    assert closed.wait(10)
    deadline = time.monotonic() + 10
    while threads() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_thread_that_cannot_start_is_an_error(monkeypatch):
    class Failing(threading.Thread):
        def start(self):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(prefetching.threading, "Thread", Failing)
    with pytest.raises(RuntimeError, match="can't start"):
        list(prefetched(iter(range(3)), 1))


def test_a_program_may_end_in_the_middle():
    code = (
        "import itertools, time\n"
        "from mininet.datasets.prefetching import prefetched\n"
        "def slow():\n"
        "    yield 1\n"
        "    time.sleep(600)\n"
        "iterator = prefetched(slow(), 2)\n"
        "next(iterator)\n"
        "import os, sys\n"
        "print('end', flush=True)\n"
        "sys.modules['kept'] = iterator\n"
        "raise SystemExit(3)\n"
    )
    process = run_python("-c", code, timeout=20)
    assert (process.returncode, process.stdout) == (3, "end\n"), process.stderr
