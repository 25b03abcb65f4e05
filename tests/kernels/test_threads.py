"""One pool: every item once, the same bits for any number of threads, errors handed on."""

import contextlib
import gc
import itertools
import os
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
from mininet.kernels import (
    convolution,
    direct,
    exact,
    get_num_threads,
    matrix,
    momentum,
    normalization,
    patches,
    pooling,
    set_num_threads,
    simd,
    threads,
    winograd,
)
from mininet.kernels.matrix import matrix_product, transposed_product
from mininet.kernels.threads import for_each_share, items_worth_sharing


@pytest.fixture(autouse=True)
def count_restored():
    before = get_num_threads()
    yield
    set_num_threads(before)


by_count = pytest.mark.parametrize("count", [1, 2, 3])


# Cutting work into shares


def shares_of(total, *least):
    ranges = []
    for_each_share(lambda first, last: ranges.append((first, last)), total, *least)
    return sorted(ranges)


def test_every_item_is_covered_once_by_even_shares():
    @given(st.integers(0, 300), st.integers(0, 60))
    @settings(deadline=None, max_examples=60, derandomize=True)
    def check(total, least):
        ranges = shares_of(total, least)
        assert [index for first, last in ranges for index in range(first, last)] == list(range(total))
        sizes = [last - first for first, last in ranges]
        assert len(sizes) <= get_num_threads()
        assert max(sizes, default=0) - min(sizes, default=0) <= 1
        assert len(sizes) <= 1 or min(sizes) >= max(1, least)
        # and no thread is left idle that could have had as much
        assert len(sizes) == get_num_threads() or total < max(1, least) * (len(sizes) + 1)

    for count in (1, 2, 3, 5):
        set_num_threads(count)
        check()


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("least", [(), (1,), (4,), (5000,), (0,)])
def test_tiny_no_share_without_items(count, least):
    set_num_threads(count)
    assert shares_of(0, *least) == []
    assert shares_of(1, *least) == [(0, 1)]


@pytest.mark.parametrize(
    ("total", "least", "expected"),
    [
        (7, 1, [(0, 2), (2, 4), (4, 7)]),
        (9, 1, [(0, 3), (3, 6), (6, 9)]),
        (2, 1, [(0, 1), (1, 2)]),
        (7, 3, [(0, 3), (3, 7)]),
        (7, 4, [(0, 7)]),
        (9, 3, [(0, 3), (3, 6), (6, 9)]),
        (8, 3, [(0, 4), (4, 8)]),
        (5, 100, [(0, 5)]),
    ],
)
def test_tiny_shares_of_three_threads(total, least, expected):
    set_num_threads(3)
    assert shares_of(total, least) == expected


def test_tiny_items_worth_sharing():
    at_least = threads.OPERATIONS_PER_SHARE
    for operations in (1, 7, at_least // 2, at_least):
        items = items_worth_sharing(operations)
        assert items * operations <= at_least < (items + 1) * operations
    assert items_worth_sharing(at_least + 1) == items_worth_sharing(2**60) == 1  # one item is never cut
    assert items_worth_sharing(0) == at_least


@by_count
def test_shares_run_on_that_many_threads(count):
    set_num_threads(count)
    together, names = threading.Barrier(count, timeout=60), set()

    def work(first, last):
        names.add(threading.get_ident())
        together.wait()  # passes only if `count` shares run at the same time

    for_each_share(work, count)
    assert len(names) == count
    assert threading.get_ident() in names  # the caller works, too


@by_count
def test_nested_calls_are_one_share_on_the_thread_of_the_outer_one(count):
    set_num_threads(count)
    seen = np.zeros((6, 10), dtype=int)
    ranges = []

    def outer(first, last):
        me = threading.get_ident()

        def inner(start, end):
            seen[first:last, start:end] += 1
            ranges.append((start, end, threading.get_ident() == me))

        for_each_share(inner, 10)
        for_each_share(inner, 0)

    for_each_share(outer, 6)
    assert (seen == 1).all()
    assert ranges == [(0, 10, True)] * count
    names = set()  # and afterwards the caller can hand out work again
    together = threading.Barrier(count, timeout=60)
    for_each_share(lambda first, last: (names.add(threading.get_ident()), together.wait()), count)
    assert len(names) == count


def test_a_call_that_is_too_small_to_share_leaves_the_threads_to_what_it_calls():
    set_num_threads(2)
    names, together = set(), threading.Barrier(2, timeout=60)

    def inner(first, last):
        names.add(threading.get_ident())
        together.wait()

    for_each_share(lambda first, last: for_each_share(inner, 2), 1)
    assert len(names) == 2


def test_several_callers_share_the_pool():
    set_num_threads(3)
    totals = {}

    def caller(name):
        seen = np.zeros(200, dtype=int)

        def work(first, last):
            seen[first:last] += 1

        for _ in range(50):
            for_each_share(work, 200)
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
    for number in range(200):
        set_num_threads(1 + number % 3)
    for thread in callers:
        thread.join(20)
    assert done == [True, True]


def test_a_pool_that_is_dismissed_while_a_call_hands_work_over_still_serves_it(monkeypatch):
    # the worst moment for another thread to change the number of threads; it may have to wait, the call may not hang
    set_num_threads(2)
    hand_over, others, ranges, done = threads._Worker.hand_over, [], [], []

    def dismissed_before(worker, share):
        if not others:
            others.append(threading.Thread(target=set_num_threads, args=(3,), daemon=True))
            others[0].start()
            others[0].join(0.3)
        return hand_over(worker, share)

    def call():
        for_each_share(lambda first, last: ranges.append((first, last)), 10)
        done.append(True)

    monkeypatch.setattr(threads._Worker, "hand_over", dismissed_before)
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(10)
    assert done == [True]
    assert sorted(ranges) == [(0, 5), (5, 10)]
    others[0].join(10)
    assert get_num_threads() == 3


@pytest.mark.parametrize("smaller", [1, 2])
def test_shares_that_were_cut_for_a_larger_pool_are_all_done(monkeypatch, smaller):
    # between counting the shares and handing them over somebody sets another number of threads
    set_num_threads(4)
    hand_over = threads._hand_over

    def later(shares):
        set_num_threads(smaller)
        return hand_over(shares)

    monkeypatch.setattr(threads, "_hand_over", later)
    assert shares_of(8) == [(0, 2), (2, 4), (4, 6), (6, 8)]


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


def test_nothing_is_kept_alive_by_a_thread_that_is_too_busy_to_take_part():
    set_num_threads(2)
    everybody, done = threading.Barrier(3, timeout=60), threading.Event()

    def keep_busy(first, last):
        everybody.wait()
        done.wait(60)

    def call():
        array = np.ones(10)

        def work(first, last):
            array[first:last] = 2

        for_each_share(work, len(array))
        return weakref.ref(array)

    other = threading.Thread(target=for_each_share, args=(keep_busy, 2))
    other.start()
    everybody.wait()
    try:
        assert call()() is None  # though its second share still waits for the thread
    finally:
        done.set()
        other.join()


# Errors


class Failure(Exception):
    pass


@by_count
@pytest.mark.parametrize("bad", [0, 3, 9])
def test_errors_reach_the_caller_from_any_share(count, bad):
    set_num_threads(count)

    def work(first, last):
        if first <= bad < last:
            raise Failure(bad)

    with pytest.raises(Failure, match=str(bad)):
        for_each_share(work, 10)
    assert [index for first, last in shares_of(10) for index in range(first, last)] == list(range(10))  # pool works on
    names, together = set(), threading.Barrier(count, timeout=60)
    for_each_share(lambda first, last: (names.add(threading.get_ident()), together.wait()), count)
    assert len(names) == count


@pytest.mark.parametrize("failing", [(0, 1, 2), (1, 2), (2,)])
def test_of_several_errors_the_first_share_s_is_raised(failing):
    set_num_threads(3)
    together = threading.Barrier(3, timeout=60)

    def work(first, last):
        together.wait()
        if first in failing:
            time.sleep(0.02 * (3 - first))  # the later the share, the sooner it fails
            raise Failure(first)

    with pytest.raises(Failure, match=str(failing[0])):
        for_each_share(work, 3)


@pytest.mark.parametrize(
    ("caller_fails", "error"),
    [(True, Failure), (False, Failure), (True, KeyboardInterrupt)],
    ids=["the caller's share fails", "a helper's share fails", "Ctrl-C"],
)
def test_the_other_shares_have_ended_when_an_error_is_raised(caller_fails, error):
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
        time.sleep(0.05)  # time enough for a caller that does not wait to be seen
        ended.append(first)

    with pytest.raises(error):
        for_each_share(work, 2)
    assert len(ended) == 1


def test_ctrl_c_while_work_is_handed_over_waits_for_what_has_begun(monkeypatch):
    # a signal is looked at whenever a call returns, also just after the share has been put into the queue
    set_num_threads(2)
    hand_over, started, ended = threads._Worker.hand_over, threading.Event(), []

    def interrupted(worker, share):
        hand_over(worker, share)
        started.wait(10)
        raise KeyboardInterrupt

    def work(first, last):
        if first:
            started.set()
            time.sleep(0.1)
        ended.append(first)

    monkeypatch.setattr(threads._Worker, "hand_over", interrupted)
    with pytest.raises(KeyboardInterrupt):
        for_each_share(work, 2)
    assert 1 in ended


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_ctrl_c_while_the_caller_waits_is_raised_when_the_others_have_ended():
    script = """
        import os, signal, threading, time
        from mininet.kernels import set_num_threads
        from mininet.kernels.threads import for_each_share

        set_num_threads(2)
        ended, started = [], threading.Event()

        def work(first, last):
            if not first:
                started.wait(60)  # else the caller would take the other share, too
            if first:
                started.set()
                for _ in range(3):
                    time.sleep(0.1)
                    os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.1)
                ended.append(first)

        try:
            for_each_share(work, 2)
        except KeyboardInterrupt:
            print("raised", ended)
        for_each_share(lambda first, last: ended.append(first), 2)
        print(sorted(ended))
    """
    process = run_python("-c", textwrap.dedent(script), timeout=60)
    assert process.stdout.split("\n")[:2] == ["raised [1]", "[0, 1, 1]"], process.stderr


def test_an_error_in_a_nested_call_reaches_the_outer_caller():
    set_num_threads(2)

    def inner(first, last):
        raise Failure

    with pytest.raises(Failure):
        for_each_share(lambda first, last: for_each_share(inner, 4), 4)


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
        from mininet.kernels.matrix import matrix_product, transposed_product

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


def convolution_of(method, x_shape, w_shape, stride, padding):
    """Forward and both gradients; `method` must be the one that is chosen."""
    x, w = normal(x_shape, np.float32, 1), normal(w_shape, np.float32, 2)
    out = convolution.convolve(x, w, stride, padding)
    assert convolution.method(w_shape, stride, padding, out.shape, x.dtype) == method
    gradient = normal(out.shape, np.float32, 3)
    dx = convolution.convolve_input_gradient(gradient, w, x_shape, stride, padding)
    dw = convolution.convolve_weight_gradient(x, gradient, w_shape, stride, padding)
    return out, dx, dw


LANES = simd.lanes(np.float32)


def pointwise():
    return convolution_of("pointwise", (11, 30, 30, 2 * LANES), (1, 1, 2 * LANES, 3 * LANES), (1, 1), (0, 0))


def winograd_method():
    return convolution_of("winograd", (13, 19, 22, LANES), (3, 3, LANES, 2 * LANES), (1, 1), (1, 1))


def direct_method():
    return (
        *convolution_of("direct", (7, 33, 30, 5), (3, 3, 5, 2 * LANES), (1, 1), (1, 1)),
        *convolution_of("direct", (7, 33, 30, 2 * LANES), (3, 3, 2 * LANES, LANES), (2, 2), (1, 1)),
        *convolution_of("direct", (3, 17, 19, LANES), (5, 5, LANES, LANES), (1, 1), (4, 5)),
    )


def patch_matrices():
    images = patches._images_per_piece((1, 20, 20, 12), (3, 3, 8, 12), 4)
    return convolution_of("patches", (3 * images + 2, 20, 20, 8), (3, 3, 8, 12), (1, 1), (1, 1))


def each_method_by_itself():
    # the shapes that the choice would give to others
    x, w = normal((5, 11, 13, LANES), np.float32, 1), normal((3, 3, LANES, 2 * LANES), np.float32, 2)
    gradient = normal((5, 11, 13, 2 * LANES), np.float32, 3)
    return (
        winograd.convolve(x, w, (1, 1), gradient.shape),
        winograd.weight_gradient(x, gradient, w.shape, (1, 1)),
        direct.convolve(x, w, (1, 1), (1, 1), gradient.shape),
        direct.weight_gradient(x, gradient, w.shape, (1, 1), (1, 1)),
        patches.convolve(x, w, (1, 1), (1, 1), gradient.shape),
        patches.weight_gradient(x, gradient, w.shape, (1, 1), (1, 1)),
        patches.input_gradient(gradient, w, x.shape, (1, 1), (1, 1)),
    )


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


def matrix_products():
    rows = 3 * matrix.OPERATIONS_PER_PIECE // (2 * 300 * 120)
    a, b = normal((rows, 300), np.float32, 1), normal((300, 120), np.float32, 2)
    sums = transposed_product(a, a), transposed_product(b, b)
    return matrix_product(a, b), matrix_product(a[:, ::2], b[::2]), matrix_product(b.T, a.T), *sums


def pools():
    x = normal((7, 64, 64, 8), np.float32)
    out, winner = pooling.max_pool(x, (3, 3), (1, 1), (1, 1))
    average = pooling.average_pool(x, (3, 3), (1, 1), (1, 1))
    back = pooling.max_pool_gradient(average, winner, x.shape)
    return out, winner, average, back, pooling.average_pool_gradient(out, x.shape, (3, 3), (1, 1), (1, 1))


def momentum_steps():
    size = 5 * 2**17 + 5
    x, v, f = (normal(size, np.float32, seed) for seed in (1, 2, 3))
    momentum.step(x, v, f, 0.9)
    gradient = momentum.adjoint_step(x, v, 0.9)
    momentum.undo_position(x, v)
    momentum.undo_velocity(v, f, 0.9)
    total = x.copy()
    momentum.add(total, v)
    return x, v, gradient, total


def exact_steps():
    size = 5 * 2**17 + 5
    gamma = exact.as_fraction(0.9)
    x, v, b = np.empty(size, np.int64), np.empty(size, np.int64), np.zeros(size, np.uint32)
    results = [x, v, b, exact.to_integers(normal(size, seed=1), x), exact.to_integers(normal(size, seed=2), v)]
    for seed in (3, 4, 5):
        results += exact.step(x, v, b, normal(size, np.float32, seed=seed), gamma)
        results += [array.copy() for array in (x, v, b)]
    low = exact.spill(b)
    results += [low, b.copy(), exact.to_floats(x, np.float32)]
    exact.unspill(b, low)
    results.append(exact.undo_position(x, v, np.float32))
    results.append(exact.undo_velocity_and_position(x, v, b, normal(size, np.float32, seed=5), gamma))
    exact.undo_velocity(v, b, normal(size, np.float32, seed=4), gamma)
    return results


COMPUTATIONS = [
    pointwise,
    winograd_method,
    direct_method,
    patch_matrices,
    each_method_by_itself,
    batch_norms,
    matrix_products,
    pools,
    momentum_steps,
    exact_steps,
]


@pytest.mark.parametrize("compute", COMPUTATIONS, ids=lambda function: function.__name__)
def test_same_bits_for_any_number_of_threads(monkeypatch, compute):
    # also with shares so small that their ends fall between any two items
    results = []
    for count in (1, 2, 3, 5):
        set_num_threads(count)
        results.append(compute())
    monkeypatch.setattr(threads, "OPERATIONS_PER_SHARE", 1)
    for module in (exact, momentum, normalization, pooling):
        monkeypatch.setattr(module, "ELEMENTS_WORTH_SHARING", 1)
    monkeypatch.setattr(normalization, "GROUPS_WORTH_SHARING", 1)
    results.append(compute())
    set_num_threads(3)
    results.append(compute())
    for first, second in itertools.pairwise(results):
        for one, other in zip(first, second, strict=True):
            assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


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
