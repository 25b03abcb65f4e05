"""One pool: every piece once, the same bits for any number of threads, errors handed on."""

import contextlib
import gc
import itertools
import os
import textwrap
import threading
import weakref

import hypothesis.strategies as st
import numpy as np
import pytest
import threadpoolctl
from hypothesis import given, settings
from support import normal, run_python

import mininet
from mininet.kernels import (
    convolution,
    exact,
    get_num_threads,
    matrix,
    momentum,
    normalization,
    patches,
    pooling,
    set_num_threads,
    threads,
)
from mininet.kernels.matrix import matrix_product
from mininet.kernels.threads import for_each_piece


@pytest.fixture(autouse=True)
def count_restored():
    before = get_num_threads()
    yield
    set_num_threads(before)


by_count = pytest.mark.parametrize("count", [1, 2, 3])


# Cutting work into pieces


def test_every_index_is_covered_once():
    @given(st.integers(0, 300), st.integers(1, 60))
    @settings(deadline=None, max_examples=60, derandomize=True)
    def check(total, piece):
        ranges = []
        for_each_piece(lambda first, last: ranges.append((first, last)), total, piece)
        covered = [index for first, last in sorted(ranges) for index in range(first, last)]
        assert covered == list(range(total))
        assert all(0 < last - first <= piece for first, last in ranges)

    for count in (1, 2, 3):
        set_num_threads(count)
        check()


@by_count
@pytest.mark.parametrize("total", [0, 1, 7, 8, 9, 1000])
@pytest.mark.parametrize("piece", [1, 4, 8, 5000])
def test_tiny_pieces_do_not_depend_on_the_number_of_threads(count, total, piece):
    set_num_threads(count)
    ranges = []
    for_each_piece(lambda first, last: ranges.append((first, last)), total, piece)
    assert sorted(ranges) == [(first, min(first + piece, total)) for first in range(0, total, piece)]


@by_count
def test_pieces_run_on_that_many_threads(count):
    set_num_threads(count)
    together, names = threading.Barrier(count, timeout=60), set()

    def work(first, last):
        names.add(threading.get_ident())
        together.wait()  # passes only if `count` pieces run at the same time

    for_each_piece(work, count, 1)
    assert len(names) == count
    assert threading.get_ident() in names  # the caller works, too


@by_count
def test_nested_calls_cover_everything_on_the_thread_of_the_outer_piece(count):
    set_num_threads(count)
    seen = np.zeros((6, 10), dtype=int)
    ranges = []

    def outer(first, last):
        me = threading.get_ident()

        def inner(start, end):
            seen[first:last, start:end] += 1
            ranges.append(threading.get_ident() == me)

        for_each_piece(inner, 10, 3)

    for_each_piece(outer, 6, 1)
    assert (seen == 1).all()
    assert len(ranges) == 24
    assert count == 1 or all(ranges)
    names = set()  # and afterwards the caller can hand out work again
    together = threading.Barrier(count, timeout=60)
    for_each_piece(lambda first, last: (names.add(threading.get_ident()), together.wait()), count, 1)
    assert len(names) == count


def test_two_callers_share_the_pool():
    set_num_threads(3)
    totals = {}

    def caller(name):
        seen = np.zeros(200, dtype=int)

        def work(first, last):
            seen[first:last] += 1

        for _ in range(50):
            for_each_piece(work, 200, 7)
        totals[name] = seen

    callers = [threading.Thread(target=caller, args=(name,)) for name in range(3)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(60)
    assert len(totals) == 3
    assert all((seen == 50).all() for seen in totals.values())


def test_the_number_of_threads_may_change_while_others_compute():
    done = []

    def caller():
        for _ in range(300):
            for_each_piece(lambda first, last: None, 10, 1)
        done.append(True)

    callers = [threading.Thread(target=caller, daemon=True) for _ in range(2)]
    for thread in callers:
        thread.start()
    for number in range(200):
        set_num_threads(2 + number % 2)
    for thread in callers:
        thread.join(20)
    assert done == [True, True]


def test_a_pool_that_is_dismissed_while_a_call_hands_work_over_still_serves_it(monkeypatch):
    # the worst moment for another thread to change the number of threads; it may have to wait, the call may not hang
    set_num_threads(2)
    hand_over, others, ranges, done = threads._Pool.hand_over, [], [], []

    def dismissed_before(pool, job):
        if not others:
            others.append(threading.Thread(target=set_num_threads, args=(3,), daemon=True))
            others[0].start()
            others[0].join(0.3)
        return hand_over(pool, job)

    def call():
        for_each_piece(lambda first, last: ranges.append(first), 10, 1)
        done.append(True)

    monkeypatch.setattr(threads._Pool, "hand_over", dismissed_before)
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(10)
    assert done == [True]
    assert sorted(ranges) == list(range(10))
    others[0].join(10)
    assert get_num_threads() == 3


@by_count
@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_kept_alive_when_the_call_has_ended(count, fails):
    # a waiting thread that remembers its last job would keep the arrays of that job, an activation for instance
    set_num_threads(count)

    def call():
        array, everybody = np.ones(10), threading.Barrier(count, timeout=60)

        def work(first, last):
            everybody.wait()
            array[first:last] = 2
            if fails:
                raise Failure

        with contextlib.suppress(Failure):
            for_each_piece(work, count, 1)
        return weakref.ref(array)

    reference = call()
    gc.collect()  # an error and its traceback may be a cycle
    assert reference() is None


# Errors


class Failure(Exception):
    pass


@by_count
@pytest.mark.parametrize("bad", [0, 3, 9])
def test_errors_reach_the_caller(count, bad):
    set_num_threads(count)

    def work(first, last):
        if first == bad:
            raise Failure(first)

    with pytest.raises(Failure, match=str(bad)):
        for_each_piece(work, 10, 1)
    ranges = []  # the pool still works
    for_each_piece(lambda first, last: ranges.append(first), 10, 1)
    assert sorted(ranges) == list(range(10))


@pytest.mark.parametrize(
    ("caller_fails", "error"),
    [(True, Failure), (False, Failure), (True, KeyboardInterrupt)],
    ids=["the caller's piece fails", "a helper's piece fails", "Ctrl-C"],
)
def test_the_other_pieces_have_ended_when_an_error_is_raised(caller_fails, error):
    # otherwise a kernel would go on writing into an array that its caller has given up
    set_num_threads(2)
    caller = threading.get_ident()
    both_started, failed = threading.Barrier(2, timeout=60), threading.Event()
    ended = []

    def work(first, last):
        both_started.wait()
        if (threading.get_ident() == caller) == caller_fails:
            failed.set()
            raise error
        failed.wait(60)
        ended.append(threading.Event().wait(0.05) or first)  # time enough for a caller that does not wait to be seen

    with pytest.raises(error):
        for_each_piece(work, 2, 1)
    assert len(ended) == 1


@by_count
def test_no_piece_is_started_after_an_error_of_the_caller(count):
    set_num_threads(count)
    caller, started = threading.get_ident(), []
    everybody = threading.Barrier(count, timeout=60)
    raised = threading.Event()

    def work(first, last):
        started.append(first)
        if first < count:
            everybody.wait()
        if threading.get_ident() == caller:
            raised.set()
            raise Failure
        raised.wait(60)
        threading.Event().wait(0.02)

    with pytest.raises(Failure):
        for_each_piece(work, 1000, 1)
    assert len(started) < 1000


def test_an_error_in_a_nested_call_reaches_the_outer_caller():
    set_num_threads(2)

    def inner(first, last):
        raise Failure

    with pytest.raises(Failure):
        for_each_piece(lambda first, last: for_each_piece(inner, 4, 1), 4, 1)


# How many


def test_set_and_get():
    for count in (3, 1, np.int64(2)):
        set_num_threads(count)
        assert get_num_threads() == mininet.get_num_threads() == count


@pytest.mark.parametrize("count", [0, -1])
def test_at_least_one_thread(count):
    with pytest.raises(ValueError, match=f"count must be at least 1, got {count}"):
        set_num_threads(count)


@pytest.mark.parametrize("count", [2.0, "2", None])
def test_count_is_an_integer(count):
    before = get_num_threads()
    with pytest.raises(TypeError):
        set_num_threads(count)
    assert get_num_threads() == before


def test_environment_variable():
    code = "import mininet; print(mininet.get_num_threads())"
    process = run_python("-c", code, MININET_NUM_THREADS="3")
    assert (process.returncode, process.stdout.strip()) == (0, "3"), process.stderr
    process = run_python("-c", code, MININET_NUM_THREADS="many")
    assert process.returncode != 0
    assert "ValueError: MININET_NUM_THREADS must be an integer of at least 1, got 'many'" in process.stderr


@pytest.mark.parametrize("text", ["0", "-1", "1.5", " 2", "two", "1e1"])
def test_bad_environment_variable(monkeypatch, text):
    monkeypatch.setenv("MININET_NUM_THREADS", text)
    with pytest.raises(ValueError, match=f"MININET_NUM_THREADS must be an integer of at least 1, got '{text}'"):
        threads._initial_count()


def test_without_environment_variable_every_usable_core(monkeypatch):
    monkeypatch.delenv("MININET_NUM_THREADS", raising=False)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert threads._initial_count() == cores
    monkeypatch.setenv("MININET_NUM_THREADS", "")
    assert threads._initial_count() == cores


def test_blas_runs_on_the_threads_of_the_pool_only():
    libraries = [entry for entry in threadpoolctl.threadpool_info() if entry["user_api"] == "blas"]
    assert all(entry["num_threads"] == 1 for entry in libraries)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_computes_the_same():
    # the parent's threads do not exist in the child: a pool taken along would wait for ever
    script = """
        import os, sys, warnings
        import numpy as np
        from mininet.kernels import set_num_threads
        from mininet.kernels.matrix import matrix_product

        set_num_threads(2)
        a, b = np.random.default_rng(0).standard_normal((2, 512, 512)).astype(np.float32)
        expected = matrix_product(a, b)
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and later warn about fork and threads
        child = os.fork()
        if child == 0:
            os._exit(0 if np.array_equal(matrix_product(a, b), expected) else 1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.exit(status or not np.array_equal(matrix_product(a, b), expected))
    """
    process = run_python("-c", textwrap.dedent(script))
    assert process.returncode == 0, process.stderr


# The same bits


def convolutions():
    piece = patches._images_per_piece((1, 20, 20, 12), (3, 3, 8, 12), 4)
    x, w = normal((3 * piece + 2, 20, 20, 8), np.float32, 1), normal((3, 3, 8, 12), np.float32, 2)
    out = convolution.convolve(x, w, (1, 1), (1, 1))
    gradient = normal(out.shape, np.float32, 3)
    dx = convolution.convolve_input_gradient(gradient, w, x.shape, (1, 1), (1, 1))
    dw = convolution.convolve_weight_gradient(x, gradient, w.shape, (1, 1), (1, 1))
    return out, dx, dw


def batch_norms():
    shape = 3 * normalization._rows_per_piece(np.empty((1, 32))) + 11, 32
    x, gradient = normal(shape, np.float32, 1), normal(shape, np.float32, 2)
    weight, bias = normal(32, np.float32, 3), normal(32, np.float32, 4)
    mean, variance = normalization.batch_statistics(x)
    mean32, inverse = mean.astype(np.float32), (1 / np.sqrt(variance)).astype(np.float32)
    sums = normalization.normalize_parameter_gradients(x, gradient, mean32, inverse)
    dx = normalization.normalize_input_gradient(x, gradient, mean32, inverse, weight, sums)
    return mean, variance, normalization.normalize(x, mean32, inverse, weight, bias), *sums, dx


def matrix_products():
    rows = 3 * matrix.OPERATIONS_PER_PIECE // (2 * 300 * 120)
    a, b = normal((rows, 300), np.float32, 1), normal((300, 120), np.float32, 2)
    return matrix_product(a, b), matrix_product(a[:, ::2], b[::2]), matrix_product(b.T, a.T)


def pools():
    x = normal((3 * pooling.ELEMENTS_PER_PIECE // (64 * 64 * 8) + 1, 64, 64, 8), np.float32)
    out, winner = pooling.max_pool(x, (3, 3), (1, 1), (1, 1))
    average = pooling.average_pool(x, (3, 3), (1, 1), (1, 1))
    back = pooling.max_pool_gradient(average, winner, x.shape)
    return out, winner, average, back, pooling.average_pool_gradient(out, x.shape, (3, 3), (1, 1), (1, 1))


def momentum_steps():
    size = 3 * momentum.ELEMENTS_PER_PIECE + 5
    x, v, f = (normal(size, np.float32, seed) for seed in (1, 2, 3))
    momentum.step(x, v, f, 0.9)
    gradient = momentum.adjoint_step(x, v, 0.9)
    momentum.undo_position(x, v)
    momentum.undo_velocity(v, f, 0.9)
    return x, v, gradient


def exact_steps():
    size = 3 * exact.ELEMENTS_PER_PIECE + 5
    gamma = exact.as_fraction(0.9)
    x, v, b = np.empty(size, np.int64), np.empty(size, np.int64), np.zeros(size, np.int64)
    exact.to_integers(normal(size, seed=1), x)
    exact.to_integers(normal(size, seed=2), v)
    exact.step(x, v, b, normal(size, seed=3), gamma)
    low = exact.spill(b)
    return x, v, b, low, exact.to_floats(x, np.float32)


@pytest.mark.parametrize(
    "compute",
    [convolutions, batch_norms, matrix_products, pools, momentum_steps, exact_steps],
    ids=lambda function: function.__name__,
)
def test_same_bits_for_any_number_of_threads(compute):
    results = []
    for count in (1, 2, 3, 1):
        set_num_threads(count)
        results.append(compute())
    for first, second in itertools.pairwise(results):
        for one, other in zip(first, second, strict=True):
            assert np.array_equal(one, other)


INTERRUPTED_TRAINING = """
import os, signal, threading, time
import numpy as np
from mininet import MomentumNet, nn, set_num_threads

set_num_threads(2)
net = MomentumNet([nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16)) for _ in range(3)])
x = np.ones((64, 8, 8, 16), np.float32)

def step():
    net.zero_grad()
    (net(x) ** 2).mean().backward()

step()
done = threading.Event()

def interrupt():
    while not done.wait(0.01):
        os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
seen = 0
while seen < 100:
    try:
        while True:
            step()
    except KeyboardInterrupt:
        seen += 1
done.set()
time.sleep(0.05)
signal.signal(signal.SIGINT, signal.SIG_IGN)
step()
print("still works")
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_no_interruption_hangs_or_breaks_anything():
    process = run_python("-c", INTERRUPTED_TRAINING)
    assert process.stdout.strip() == "still works", process.stderr
