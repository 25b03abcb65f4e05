"""Where time goes: to the innermost block that is open, in the thread that asked, and adding up to what went by."""

import contextlib
import threading

import pytest
from reversible_support import assert_same_bits, batch, conv_block, every_mode, momentum_net, train_step

from mininet import MomentumNet, Tensor, optim, profiling
from mininet.base.instruments import measured
from mininet.profiling import profile

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


def test_time_counts_for_the_innermost_block(clock):
    with profile() as times:
        clock.wait(1)
        with measured("a"):
            clock.wait(2)
            with measured("b"):
                clock.wait(4)
                with measured("b"), profile() as inner:
                    clock.wait(8)
            clock.wait(16)
        clock.wait(32)
    with measured("after"):
        clock.wait(1000)
    assert times.seconds == {REST: 1 + 32, "a": 2 + 16, "b": 4 + 8}
    assert times.calls == {"a": 1, "b": 2}
    assert inner.seconds == {REST: 8}
    lines = [line.split() for line in str(times).splitlines()]
    assert lines[0] == ["calls", "ms", "share"]
    assert ["b", "2", "12000.00", "19.0%"] in lines


def test_a_function_that_fails_ends_its_blocks(clock):
    broken = []

    def function(x):
        clock.wait(1)
        if broken:
            raise KeyboardInterrupt
        return x * 0.5

    net = MomentumNet([function] * 4)
    with contextlib.suppress(KeyboardInterrupt), profile() as times:
        y = net(Tensor(batch(5, 4), requires_grad=True)).sum()
        broken.append(True)
        with pytest.raises(KeyboardInterrupt):
            y.backward()
        clock.wait(7)
        net(batch(5, 4))
    clock.wait(100)
    assert times.seconds[REST] == 7
    assert times.seconds["residual functions"] == 4 + 1 + 1


def test_each_thread_has_profiles_of_its_own(clock):
    def work():
        with measured("nobody listens"):
            clock.wait(1)

    with profile() as ours, measured("ours"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert ours.seconds == {REST: 0, "ours": 1}


@every_mode
def test_nobody_looks_at_the_clock_when_nobody_asks_and_when_somebody_does_no_bit_changes(arithmetic, backprop, clock):
    def step():
        return train_step(momentum_net(2, conv_block, arithmetic=arithmetic, backprop=backprop), batch(2, 4, 4, 3))

    expected = step()
    assert clock.looks == 0
    with profile():
        assert_same_bits(step(), expected)
    looks = clock.looks
    assert looks > 0
    step()
    assert clock.looks == looks


@every_mode
def test_names_and_calls_of_a_training_step(arithmetic, backprop):
    """Each piece of work by its name, as often as the way of backprop needs it."""
    depth = 4
    net = momentum_net(depth, conv_block, arithmetic=arithmetic, backprop=backprop)
    optimizer = optim.SGD(net.parameters(), 0.1)
    with profile() as times:
        train_step(net, batch(2, 5, 5, 3))
        optimizer.step()
    evaluations = depth if backprop == "stored" else 2 * depth
    expected = {
        "MomentumNet": 1,
        "MomentumNet, backward": 1,
        "residual functions": evaluations,
        f"{arithmetic} momentum step": 2 * depth if backprop == "checkpointed" else depth,
        "conv2d": 2 * evaluations,
        "conv2d, backward": 2 * depth,
        "batch_norm": 2 * evaluations,
        "batch_norm, statistics": 2 * evaluations,
        "batch_norm, backward": 2 * depth,
        "optimizer step": 1,
    }
    if backprop == "reversible":
        expected[f"{arithmetic} momentum step, undone"] = depth
    assert times.calls == expected
    assert times.seconds.keys() == {REST, *expected}
