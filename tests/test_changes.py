"""Changes for a while are taken back, also if nobody calls `__exit__`."""

import threading
import types

import pytest

from mininet.changes import _open, changed, takes_back


class Thing(types.SimpleNamespace):
    pass


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_attributes_are_put_back(error):
    first, second = Thing(a=1, b=2), Thing(a=3)
    try:
        with changed([(first, "a", 10), (second, "a", 30)]):
            assert (first.a, first.b, second.a) == (10, 2, 30)
            if error:
                raise error
    except (ValueError, KeyboardInterrupt):
        pass
    assert (first.a, first.b, second.a) == (1, 2, 3)
    assert _open.blocks == []


def test_what_is_the_same_is_not_touched():
    class Fixed:
        value = property(lambda self: 1)

    with changed([(Fixed(), "value", 1)]):
        pass


def test_what_is_changed_inside_is_put_back_too():
    thing = Thing(a=1)
    with changed([(thing, "a", 1)]):
        thing.a = 2
    assert thing.a == 1


def test_nested_and_as_a_decorator_of_a_function_that_calls_itself():
    thing = Thing(a=0)

    @changed([(thing, "a", 1)])
    def deep(levels):
        assert thing.a == 1
        with changed([(thing, "a", 2)]):
            assert thing.a == 2
            if levels:
                deep(levels - 1)
            assert thing.a == 2
        assert thing.a == 1

    deep(3)
    assert thing.a == 0
    assert _open.blocks == []


def test_an_error_while_changing_takes_back_what_was_changed():
    thing = Thing(a=0)
    with pytest.raises(AttributeError), changed([(thing, "a", 1), (object(), "__doc__", 1)]):
        pytest.fail("the block must not run")
    assert thing.a == 0
    assert _open.blocks == []


def test_what_was_left_changed_is_taken_back_when_an_exception_leaves_the_function():
    thing = Thing(a=0, b=0)
    left = []

    @takes_back
    def interrupted():
        with changed([(thing, "b", 1)]):
            for value in (1, 2):
                left.append(changed([(thing, "a", value)]))
                left[-1].__enter__()  # and Ctrl-C comes just before __exit__
            raise KeyboardInterrupt

    with changed([(thing, "b", 5)]):
        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert (thing.a, thing.b) == (0, 5)
    assert (thing.a, thing.b) == (0, 0)
    assert _open.blocks == []


def test_without_an_exception_nothing_is_taken_back():
    thing, blocks = Thing(a=0), []

    @takes_back
    def open_one():
        blocks.append(changed([(thing, "a", 1)]))
        blocks[-1].__enter__()
        return "value"

    assert open_one() == "value"
    assert thing.a == 1
    blocks[0].__exit__(None, None, None)
    assert thing.a == 0


def test_threads_do_not_meet():
    thing, seen = Thing(a=0), []
    with changed([(thing, "a", 1)]):
        thread = threading.Thread(target=lambda: seen.append(list(_open.blocks)))
        thread.start()
        thread.join()
    assert seen == [[]]
