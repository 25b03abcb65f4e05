"""Changes for a while are taken back."""

import concurrent.futures
import contextlib
import types

import pytest

from mininet.autodiff import is_recording, no_grad
from mininet.base.changes import changed


def test_attributes_are_put_back_after_an_error_too():
    first, second = types.SimpleNamespace(a=1, b=2), types.SimpleNamespace(a=3)
    for error in (ValueError, KeyboardInterrupt):

        def fails(error=error):
            with changed([(first, "a", 10), (second, "a", 3)]):
                assert (first.a, first.b) == (10, 2)
                second.a = 4  # what was the same and is changed inside is put back too
                raise error

        with pytest.raises(error):
            fails()
        assert (first.a, first.b, second.a) == (1, 2, 3)


def test_nested_and_as_a_decorator_of_a_function_that_calls_itself():
    thing = types.SimpleNamespace(a=0)

    @changed([(thing, "a", 1)])
    def deep(levels):
        assert thing.a == 1
        with changed([(thing, "a", 2)]):
            if levels:
                deep(levels - 1)
            assert thing.a == 2
        assert thing.a == 1

    deep(3)
    assert thing.a == 0


@pytest.mark.parametrize("depth", [1, 3])
def test_one_object_may_be_entered_again_and_by_several_threads(depth):
    thing = types.SimpleNamespace(a=0)
    again = changed([(thing, "a", 1)])
    for _ in range(2):
        with contextlib.ExitStack() as stack:
            for _ in range(depth):
                stack.enter_context(again)
            assert thing.a == 1
        assert thing.a == 0
    mode, left = no_grad(), []
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with mode:
            pool.submit(mode.__enter__).result()
            left.append(pool.submit(is_recording).result())
        left += [is_recording(), pool.submit(is_recording).result()]
        pool.submit(mode.__exit__).result()
        left.append(pool.submit(is_recording).result())
    assert left == [False, True, False, True]
    assert is_recording()


def test_functions_whose_body_runs_later_are_refused():
    def generator():
        yield

    async def coroutine():
        pass

    async def both():
        yield

    for function in (generator, coroutine, both):
        with pytest.raises(TypeError, match=f"{function.__name__}.*use a with block inside"):
            no_grad()(function)


def test_an_error_while_changing_takes_back_what_was_changed():
    thing = types.SimpleNamespace(a=0)
    with pytest.raises(AttributeError), changed([(thing, "a", 1), (object(), "__doc__", 1)]):
        pytest.fail("the block must not run")
    assert thing.a == 0
