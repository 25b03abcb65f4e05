"""One pool: every item once, the same bits for any number of threads, errors handed on."""

import contextlib
import gc
import itertools
import os
import queue
import textwrap
import threading
import time
import weakref

import hypothesis.strategies as st
import numpy as np
import pytest
import threadpoolctl
from hypothesis import given, settings
from support import normal, run_python

import mininet
from mininet.kernels import direct, get_num_threads, normalization, patches, set_num_threads, simd, threads, winograd
from mininet.kernels.threads import for_each_share, items_worth_sharing

pytestmark = pytest.mark.usefixtures("set_threads")


by_count = pytest.mark.parametrize("count", [1, 3])


class Failure(Exception):
    pass


def shares_of(total, *least):
    ranges = []
    for_each_share(lambda first, last: ranges.append((first, last)), total, *least)
    return sorted(ranges)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_item_is_covered_once_by_even_shares(count):
    @given(st.integers(0, 300), st.integers(0, 60))
    @settings(deadline=None, max_examples=40, derandomize=True)
    def check(total, least):
        ranges = shares_of(total, least)
        assert [index for first, last in ranges for index in range(first, last)] == list(range(total))
        sizes = [last - first for first, last in ranges]
        assert all(sizes)
        assert len(sizes) <= count
        assert max(sizes, default=0) - min(sizes, default=0) <= 1
        assert len(sizes) <= 1 or min(sizes) >= max(1, least)
        assert len(sizes) == count or total < max(1, least) * (len(sizes) + 1)  # no thread is left idle

    set_num_threads(count)
    check()


def test_tiny_items_worth_sharing():
    at_least = threads.OPERATIONS_PER_SHARE
    for operations in (1, 7, at_least // 2, at_least):
        items = items_worth_sharing(operations)
        assert items * operations <= at_least < (items + 1) * operations
    assert items_worth_sharing(at_least + 1) == items_worth_sharing(2**60) == 1  # one item is never cut
    assert items_worth_sharing(0) == at_least


def names_of_threads(count):
    """Of those that take part in `count` shares, which must run at the same time."""
    together, names = threading.Barrier(count, timeout=60), set()

    def work(first, last):
        names.add(threading.get_ident())
        together.wait()

    for_each_share(work, count)
    return names


@by_count
def test_shares_run_on_that_many_threads(count):
    set_num_threads(count)
    names = names_of_threads(count)
    assert len(names) == count
    assert threading.get_ident() in names  # the caller works, too


@by_count
def test_nested_calls_are_one_share_on_the_thread_of_the_outer_one(count):
    set_num_threads(count)
    ranges = []

    def outer(first, last):
        me = threading.get_ident()
        for_each_share(lambda *inner: ranges.append((*inner, threading.get_ident() == me)), 10)

    for_each_share(outer, 6)
    assert ranges == [(0, 10, True)] * count
    assert len(names_of_threads(count)) == count  # and afterwards the caller can hand out work again


def test_the_number_of_threads_may_change_while_several_callers_share_the_pool():
    done = []

    def caller():
        for _ in range(100):
            seen = np.zeros(10, dtype=int)

            def work(first, last, seen=seen):
                seen[first:last] += 1

            for_each_share(work, 10)
            if not (seen == 1).all():
                return
        done.append(True)

    callers = [threading.Thread(target=caller, daemon=True) for _ in range(2)]
    for thread in callers:
        thread.start()
    for number in range(70):
        set_num_threads(1 + number % 3)
    for thread in callers:
        thread.join(20)
    assert done == [True, True]


@by_count
@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_kept_alive_when_the_call_has_ended(count, fails):
    # a waiting thread that remembers its last share would keep its arrays, an activation for instance
    set_num_threads(count)

    def call():
        array, everybody = np.ones(10), threading.Barrier(count, timeout=60)

        def work(first, last):
            everybody.wait()
            array[first:last] = 2
            if fails:
                raise Failure

        with contextlib.suppress(Failure):
            for_each_share(work, count)
        return weakref.ref(array)

    reference = call()
    if fails:
        gc.collect()  # an error and its traceback may be a cycle
    assert reference() is None


@by_count
@pytest.mark.parametrize("bad", [0, 9])
def test_errors_reach_the_caller_from_any_share(count, bad):
    set_num_threads(count)

    def work(first, last):
        if first <= bad < last:
            raise Failure(bad)

    with pytest.raises(Failure, match=str(bad)):
        for_each_share(work, 10)
    assert len(names_of_threads(count)) == count  # the pool works on


@pytest.mark.parametrize("caller_fails", [True, False])
def test_the_other_shares_have_ended_when_an_error_is_raised(caller_fails):
    # otherwise a kernel would go on writing into an array that its caller has given up
    set_num_threads(2)
    caller = threading.get_ident()
    both_started, failed = threading.Barrier(2, timeout=60), threading.Event()
    ended = []

    def work(first, last):
        both_started.wait()
        if (threading.get_ident() == caller) == caller_fails:
            failed.set()
            raise Failure
        failed.wait(60)
        time.sleep(0.05)  # time enough for a caller that does not wait to be seen
        ended.append(first)

    with pytest.raises(Failure):
        for_each_share(work, 2)
    assert len(ended) == 1


def test_a_share_that_came_while_the_thread_slept_is_not_left_for_the_next_call(monkeypatch):
    late, fresh = (threads._Share(lambda first, last: None, 0, 1) for _ in range(2))
    late.taken_by("caller")
    waiting, is_raised = queue.SimpleQueue(), []
    for share in (late, fresh, None):
        waiting.put(share)
    monkeypatch.setattr(threads.queue, "SimpleQueue", lambda: waiting)
    monkeypatch.setattr(threads.Flag, "watch", lambda flag, **how: is_raised.append(bool(flag.state[0])))
    threads._Worker()
    assert fresh.lock.acquire(timeout=60)  # it is released when the share is done
    while len(is_raised) < 3:  # on the way to None
        time.sleep(0.001)
    assert is_raised == [False, True, True]


def test_set_and_get():
    for count in (3, 1, np.int64(2)):
        set_num_threads(count)
        assert get_num_threads() == mininet.get_num_threads() == count


def test_environment_variable(monkeypatch):
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for text, count in (("3", 3), ("", cores)):
        monkeypatch.setenv("MININET_NUM_THREADS", text)
        assert threads._initial_count() == count
    for text in ("0", "1.5", "two"):
        monkeypatch.setenv("MININET_NUM_THREADS", text)
        with pytest.raises(ValueError, match=f"MININET_NUM_THREADS .*'{text}'"):
            threads._initial_count()
    monkeypatch.delenv("MININET_NUM_THREADS")
    assert threads._initial_count() == cores


def test_blas_runs_on_the_threads_of_the_pool_only():
    libraries = [entry for entry in threadpoolctl.threadpool_info() if entry["user_api"] == "blas"]
    if not libraries:
        pytest.skip("threadpoolctl knows no BLAS library here, as on macOS, where NumPy uses Accelerate")
    assert all(entry["num_threads"] == 1 for entry in libraries)


@pytest.mark.parametrize("given", [None, "2"])
def test_accelerate_is_limited_before_numpy_is_loaded(given, monkeypatch):
    monkeypatch.delenv("VECLIB_MAXIMUM_THREADS", raising=False)
    script = """
        import os, sys
        sys.platform, sys.modules["numpy"] = "darwin", None
        try:
            import mininet
        except ImportError:
            print(os.environ["VECLIB_MAXIMUM_THREADS"])
    """
    process = run_python("-c", textwrap.dedent(script), **({"VECLIB_MAXIMUM_THREADS": given} if given else {}))
    assert process.stdout.strip() == (given or "1")


# The same bits, where sums are over many groups; `tests/generated/test_threads.py` has every operation

LANES = simd.lanes(np.float32)


def convolutions():
    images, window = (11, 11, 13, LANES), (3, 3, LANES, 2 * LANES)
    x, w = normal(images, np.float32, 1), normal(window, np.float32, 2)
    gradient = normal((*images[:3], 2 * LANES), np.float32, 3)
    results = [winograd.convolve(x, w, (1, 1), gradient.shape), winograd.weight_gradient(x, gradient, w.shape, (1, 1))]
    for module in (direct, patches):
        results += [
            module.convolve(x, w, (1, 1), (1, 1), gradient.shape),
            module.weight_gradient(x, gradient, w.shape, (1, 1), (1, 1)),
            module.input_gradient(gradient[:, ::2, ::2].copy(), w, images, (2, 2), (1, 1)),
        ]
    return results


def batch_norms():
    results = []
    for channels, relu in ((24, False), (16, True)):
        shape = 9 * normalization.ELEMENTS_PER_GROUP // channels + 11, channels
        x, gradient = normal(shape, np.float32, 1), normal(shape, np.float32, 2)
        weight, bias = normal(channels, np.float32, 3), normal(channels, np.float32, 4)
        mean, variance = normalization.batch_statistics(x)
        arguments = mean.astype(np.float32), (1 / np.sqrt(variance)).astype(np.float32), weight, bias, relu
        sums = normalization.normalize_parameter_gradients(x, gradient, *arguments)
        dx = normalization.normalize_input_gradient(x, gradient, *arguments, sums)
        results += [mean, variance, normalization.normalize(x, *arguments), *sums, dx]
    return results


@pytest.mark.parametrize("compute", [convolutions, batch_norms])
def test_same_bits_for_any_number_of_threads(monkeypatch, compute):
    # also with shares so small that their ends fall between any two items
    results = []
    for count in (1, 3):
        set_num_threads(count)
        results.append(compute())
    monkeypatch.setattr(threads, "OPERATIONS_PER_SHARE", 1)
    monkeypatch.setattr(normalization, "ELEMENTS_WORTH_SHARING", 1)
    monkeypatch.setattr(normalization, "GROUPS_WORTH_SHARING", 1)
    results.append(compute())
    for first, second in itertools.pairwise(results):
        for one, other in zip(first, second, strict=True):
            assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
