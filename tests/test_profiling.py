"""Where time goes: to the innermost block that is open, in the thread that asked, and adding up to what went by."""

import contextlib
import re
import threading
import time

import numpy as np
import pytest
from reversible_support import assert_same_bits, batch, conv_block, dense_block, every_mode, momentum_net, train_step

from mininet import Tensor, nn, no_grad, optim, profiling
from mininet.profiling import measured, measured_as, profile

REST = "everything else"


class Clock:
    """Stands for the module `time`: goes on when it is told to, by whole seconds, so that sums are exact."""

    def __init__(self):
        self.now, self.looks = 100.0, 0

    def perf_counter(self):
        self.looks += 1
        return self.now

    def wait(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(profiling, "time", clock)
    return clock


# Blocks


def test_time_counts_for_the_innermost_block(clock):
    clock.wait(1000)
    with profile() as times:
        clock.wait(1)
        with measured("a"):
            clock.wait(2)
            with measured("b"):
                clock.wait(4)
                with measured("c"):
                    clock.wait(8)
                clock.wait(16)
            clock.wait(32)
            with measured("b"):
                clock.wait(64)
        clock.wait(128)
    clock.wait(1000)
    assert times.seconds == {REST: 1 + 128, "a": 2 + 32, "b": 4 + 16 + 64, "c": 8}
    assert times.calls == {"a": 1, "b": 2, "c": 1}


def test_a_block_inside_one_of_the_same_name_counts_once(clock):
    with profile() as times:
        for seconds in (1, 2):
            with measured("a"):
                clock.wait(seconds)
                with measured("a"):
                    clock.wait(10 * seconds)
    assert times.seconds == {REST: 0, "a": 33}
    assert times.calls == {"a": 4}


def test_without_blocks_everything_is_something_else(clock):
    with profile() as times:
        clock.wait(3)
    assert times.seconds == {REST: 3}
    assert times.calls == {}


def test_times_add_up_to_what_went_by():
    before = time.perf_counter()
    with profile() as times:
        inside = time.perf_counter()
        for _ in range(20):
            with measured("a"), measured("b"):
                time.sleep(0.001)
        almost = time.perf_counter()
    after = time.perf_counter()
    total = sum(times.seconds.values())
    rounding = 1e-9 * len(times.seconds)
    assert almost - inside - rounding <= total <= after - before + rounding
    assert times.seconds["b"] >= 0.02
    assert times.seconds["a"] < times.seconds["b"]


def test_times_of_a_training_step_add_up():
    net, x = momentum_net(3, conv_block), batch(2, 5, 5, 3)
    before = time.perf_counter()
    with profile() as times:
        inside = time.perf_counter()
        train_step(net, x)
        almost = time.perf_counter()
    after = time.perf_counter()
    assert almost - inside - 1e-6 <= sum(times.seconds.values()) <= after - before + 1e-6
    assert all(seconds >= 0 for seconds in times.seconds.values())


def failing(error, clock):
    with measured("a"):
        clock.wait(1)
        with measured("b"):
            clock.wait(2)
            raise error


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_an_exception_ends_its_blocks(error, clock):
    with profile() as times:
        with pytest.raises(error):
            failing(error, clock)
        clock.wait(4)
        with measured("c"):
            clock.wait(8)
    assert times.seconds == {REST: 4, "a": 1, "b": 2, "c": 8}


def test_an_exception_ends_the_profile(clock):
    with pytest.raises(ZeroDivisionError), profile() as times:
        failing(ZeroDivisionError, clock)
    clock.wait(10)
    with measured("a"):
        clock.wait(100)
    assert times.seconds == {REST: 0, "a": 1, "b": 2}
    assert times.calls == {"a": 1, "b": 1}


def test_an_operation_that_fails_leaves_the_profile_in_order(clock):
    """An error in a residual function, forward or on the way back, through all the blocks that are open there."""

    class Failing(nn.Module):
        broken = False

        def forward(self, x):
            if self.broken:
                raise ZeroDivisionError
            return x * 0.5

    net = momentum_net(0)
    net.functions = [Failing() for _ in range(4)]
    with profile() as times:
        y = net(Tensor(batch(5, 4), requires_grad=True)).sum()
        net.functions[2].broken = True
        for use in (y.backward, lambda: net(batch(5, 4))):
            with pytest.raises(ZeroDivisionError):
                use()
        before = dict(times.seconds)
        clock.wait(7)
    assert times.seconds == before | {REST: before[REST] + 7}


# Several profiles


def test_nested_profiles(clock):
    with profile() as outer:
        clock.wait(1)
        with measured("a"):
            clock.wait(2)
            with profile() as inner:
                clock.wait(4)
                with measured("b"):
                    clock.wait(8)
            clock.wait(16)
            with measured("c"):
                clock.wait(32)
    assert outer.seconds == {REST: 1, "a": 2 + 4 + 16, "b": 8, "c": 32}
    assert outer.calls == {"a": 1, "b": 1, "c": 1}
    assert inner.seconds == {REST: 4, "b": 8}
    assert inner.calls == {"b": 1}


def test_one_profile_after_the_other(clock):
    with profile() as first, measured("a"):
        clock.wait(1)
    with profile() as second, measured("a"):
        clock.wait(2)
    assert (first.seconds, second.seconds) == ({REST: 0, "a": 1}, {REST: 0, "a": 2})


def test_two_profiles_of_the_same_find_the_same(clock):
    with profile() as one, profile() as other:
        with measured("a"):
            clock.wait(1)
        clock.wait(2)
    assert one.seconds == other.seconds == {REST: 2, "a": 1}


def test_a_profile_may_be_opened_in_a_block_that_ends_before_it(clock):
    with profile() as outer, contextlib.ExitStack() as later:
        with measured("a"):
            clock.wait(1)
            inner = later.enter_context(profile())
            clock.wait(2)
        clock.wait(4)
        with measured("b"):
            clock.wait(8)
    assert outer.seconds == {REST: 4, "a": 1 + 2, "b": 8}
    assert inner.seconds == {REST: 2 + 4, "b": 8}


# Threads


def in_a_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def test_other_threads_do_not_count(clock):
    def work():
        with measured("theirs"):
            clock.wait(1)
            train_step(momentum_net(2), batch(5, 4))

    with profile() as times:
        with measured("ours"):
            in_a_thread(work)
        in_a_thread(work)
    assert times.seconds == {REST: 1, "ours": 1}
    assert times.calls == {"ours": 1}


def test_each_thread_has_profiles_of_its_own(clock):
    found = []

    def work():
        assert measured("nobody asked in this thread") is measured("so nobody listens")
        with profile() as times:
            found.append(times)
            with measured("theirs"):
                clock.wait(1)

    with profile() as ours:
        in_a_thread(work)
        with measured("ours"):
            clock.wait(2)
    assert ours.seconds == {REST: 1, "ours": 2}
    assert found[0].seconds == {REST: 0, "theirs": 1}


def test_threads_that_measure_at_the_same_time_do_not_mix():
    barrier = threading.Barrier(3, timeout=30)
    found = {}

    def work(name):
        barrier.wait()
        with profile() as times:
            for _ in range(300):
                with measured(name), measured(f"{name}, inside"):
                    time.sleep(0)
        found[name] = times

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    for name, times in found.items():
        assert times.calls == {name: 300, f"{name}, inside": 300}
        assert times.seconds.keys() == {REST, name, f"{name}, inside"}


# Closed


def test_nothing_is_recorded_when_closed(clock):
    with profile() as times:
        train_step(momentum_net(2), batch(5, 4))
    seconds, calls = dict(times.seconds), dict(times.calls)
    clock.wait(1)
    train_step(momentum_net(2), batch(5, 4))
    with measured("a"):
        clock.wait(1)
    assert (times.seconds, times.calls) == (seconds, calls)


@every_mode
def test_when_nobody_asks_nobody_looks_at_the_clock(arithmetic, backprop, clock):
    """Off means a lookup: no clock, no stack, and no object is made for a block."""
    train_step(momentum_net(2, conv_block, arithmetic=arithmetic, backprop=backprop), batch(2, 4, 4, 3))
    assert clock.looks == 0
    assert measured("a") is measured("b")
    with measured("a"), measured("b"):  # the same object, entered twice
        pass
    with profile():
        assert measured("a") is not measured("a")
    looks = clock.looks
    assert measured("a") is measured("b")
    with measured("a"):
        pass
    assert clock.looks == looks


# Decorated functions


def test_a_decorated_function_stays_what_it_is(clock):
    @measured_as("work")
    def function(first, *others, factor=1):
        """Add up."""
        clock.wait(2)
        return factor * sum(others, first)

    with profile() as times:
        assert function(1, 2, factor=10) == 30
        with pytest.raises(TypeError):
            function()
    assert function(1) == 1
    assert (function.__name__, function.__doc__) == ("function", "Add up.")
    assert times.seconds == {REST: 0, "work": 2}
    assert times.calls == {"work": 2}


# Networks


@every_mode
def test_names_and_calls_of_a_training_step(arithmetic, backprop):
    """N layers conv-norm-relu-conv-norm: each piece of work by its name, as often as the way of backprop needs it."""
    depth = 4
    net = momentum_net(depth, conv_block, arithmetic=arithmetic, backprop=backprop)
    x = batch(2, 5, 5, 3)
    with profile() as times:
        train_step(net, x)
    evaluations = depth if backprop == "stored" else 2 * depth
    expected = {
        "momentum_net": 1,
        "momentum_net, backward": 1,
        f"{arithmetic} momentum step": 2 * depth if backprop == "checkpointed" else depth,
        "adjoint step": 2 * depth,
        "conv2d": 2 * evaluations,
        "conv2d, backward": 2 * depth,
        "batch_norm": 2 * evaluations,
        "batch_norm, statistics": 2 * evaluations,
        "batch_norm, backward": 2 * depth,
    }
    if backprop == "reversible":
        expected[f"{arithmetic} step undone"] = 2 * depth
    assert times.calls == expected
    assert times.seconds.keys() == {REST, *expected}
    assert all(times.seconds[name] > 0 for name in expected)


def test_names_of_other_layers_losses_and_the_optimizer():
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Tanh(), momentum_net(2, dense_block))
    optimizer = optim.SGD(net.parameters(), 0.1)
    with profile() as times:
        net(Tensor(batch(5, 4))).sum().backward()
        optimizer.step()
    for name in ("linear", "relu", "tanh", "momentum_net", "sum"):
        assert times.calls[name] >= 1
        assert times.calls[f"{name}, backward"] >= 1
    assert times.calls["optimizer step"] == 1


def test_without_a_tape_only_forward_is_there():
    with profile() as times, no_grad():
        momentum_net(3)(batch(5, 4))
    assert times.calls == {"momentum_net": 1, "linear": 3, "tanh": 3, "exact momentum step": 3}


def test_going_back_is_measured():
    net = momentum_net(3)
    state = net.run(batch(5, 4))
    with profile() as times:
        net.invert(state)
    assert times.calls == {"exact step undone": 6, "linear": 3, "tanh": 3}


def test_a_networks_own_share_is_what_its_functions_leave(clock):
    """Functions take 3 seconds each, here, and a network that does nothing else no time at all."""

    class Slow(nn.Module):
        def forward(self, x):
            with measured("slow"):
                clock.wait(3)
            return x * 0.5

    net = momentum_net(0)
    net.functions = [Slow() for _ in range(4)]
    with profile() as times:
        net(Tensor(batch(5, 4), requires_grad=True)).sum().backward()
    assert times.seconds.pop("slow") == 3 * 4 * 2
    assert not any(times.seconds.values())


@every_mode
def test_profiling_changes_no_bit(arithmetic, backprop):
    def step():
        return train_step(momentum_net(3, conv_block, arithmetic=arithmetic, backprop=backprop), batch(2, 4, 4, 3))

    expected = step()
    with profile():
        assert_same_bits(step(), expected)


# As text


def rows_of(times):
    """(name, calls or None, milliseconds, share in percent) for each line below the heading."""
    pattern = r"(.*?)\s+(\d*)\s+(\d+\.\d\d)\s+(\d+(?:\.\d)?)%"
    found = [re.fullmatch(pattern, line).groups() for line in str(times).splitlines()[1:]]
    return [(name, int(calls) if calls else None, float(ms), float(share)) for name, calls, ms, share in found]


def test_as_text(clock):
    with profile() as times:
        clock.wait(0.25)
        for _ in range(3):
            with measured("a"):
                clock.wait(0.125)
        with measured("bb"):
            clock.wait(0.375 / 3)
        clock.wait(0.25)
    assert str(times).splitlines()[0].split() == ["calls", "ms", "share"]
    assert rows_of(times) == [
        (REST, None, 500, 50),
        ("a", 3, 375, 37.5),
        ("bb", 1, 125, 12.5),
        ("total", None, 1000, 100),
    ]
    assert len({len(line) for line in str(times).splitlines()}) == 1, "columns are aligned"


def test_the_total_is_100_percent():
    with profile() as times:
        train_step(momentum_net(5, conv_block), batch(2, 5, 5, 3))
    *rows, (name, _, milliseconds, share) = rows_of(times)
    assert (name, share) == ("total", 100)
    assert {row[0] for row in rows} == times.seconds.keys()
    assert [row[2] for row in rows] == sorted((row[2] for row in rows), reverse=True)
    # each of the numbers is rounded to two digits, or to one
    assert sum(row[2] for row in rows) == pytest.approx(milliseconds, abs=0.005 * (len(rows) + 1))
    assert sum(row[3] for row in rows) == pytest.approx(100, abs=0.05 * len(rows))
    assert milliseconds == pytest.approx(1e3 * sum(times.seconds.values()), abs=0.006)


def test_arrays_are_not_kept_by_a_profile():
    """A profile is numbers: what was measured may go."""
    with profile() as times:
        train_step(momentum_net(2), batch(5, 4))
    assert all(type(value) is float for value in times.seconds.values())
    assert all(type(value) is int for value in times.calls.values())
    assert not any(isinstance(value, np.ndarray) for value in vars(times).values())
