"""However an iteration ends, its thread ends with it."""

import _thread
import itertools
import threading

import pytest
from support import run_python

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
    assert not threads()
    next(iterator)
    assert threads()[0].daemon
    iterator.close()
    assert not threads()


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
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

    with pytest.raises(KeyboardInterrupt):
        list(prefetched(stuck(), 1))
    assert not threads()


@pytest.mark.slow
def test_a_program_may_end_in_the_middle():
    code = """
import sys, time
from mininet.datasets.prefetching import prefetched
def slow():
    yield 1
    time.sleep(600)
sys.modules['kept'] = iterator = prefetched(slow(), 2)
next(iterator)
raise SystemExit(3)
"""
    assert run_python("-c", code, timeout=20).returncode == 3
