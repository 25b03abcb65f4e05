"""The schedule of recomputation: which function was evaluated and differentiated, in which order and how often."""

import math

import numpy as np
import pytest
from reversible_support import WAYS, assert_same_bits, every_arithmetic

from mininet import MomentumNet, Tensor, nn, no_grad
from mininet.autodiff import Operation, is_recording, is_replaying

DEPTHS = [0, 1, 4, 10]


class Logged(nn.Module):
    """x * weight, which notes when it is run (without a tape), taped (with one), differentiated, and when "again"."""

    def __init__(self, log, name):
        super().__init__()
        self.weight = nn.Parameter(np.array([0.5]))

        def forward_of(x, weight):
            log.append(("again " if is_replaying() else "") + f"{'tape' if is_recording() else 'run'} {name}")
            return x * weight, (x, weight)

        def vjp(saved, gradient, needs):
            log.append(f"vjp {name}")
            x, weight = saved
            return gradient * weight, (gradient * x).sum(keepdims=True).reshape(1)

        self._operation = Operation(f"logged {name}", forward_of, vjp)

    def forward(self, x):
        return self._operation(x, self.weight)


def logged_net(depth, **settings):
    log = []
    functions = [Logged(log, number) for number in range(depth)]
    return MomentumNet(functions, 0.5, Logged(log, "start"), **settings), log


def forward_events(backprop, depth):
    verb = "tape" if backprop == "stored" else "run"
    return [f"{verb} start", *(f"{verb} {n}" for n in range(depth))]


def backward_events(backprop, depth):
    layers = range(depth)
    if backprop == "stored":  # nothing is evaluated again
        return [*(f"vjp {n}" for n in reversed(layers)), "vjp start"]
    if backprop == "reversible":  # each function once, just before it is differentiated
        events = [event for n in reversed(layers) for event in (f"again tape {n}", f"vjp {n}")]
    else:  # each stretch of ceil(sqrt(depth)) layers once from its beginning
        stretch = math.ceil(math.sqrt(depth))
        events = []
        for first in reversed(range(0, depth, stretch or 1)):
            inside = layers[first : first + stretch]
            events += [f"again tape {n}" for n in inside] + [f"vjp {n}" for n in reversed(inside)]
    return [*events, "again tape start", "vjp start"]


@every_arithmetic
@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("backprop", WAYS)
def test_schedule(backprop, depth, arithmetic):
    net, log = logged_net(depth, arithmetic=arithmetic, backprop=backprop)
    loss = net(Tensor(np.ones(3), requires_grad=True)).sum()
    assert log == forward_events(backprop, depth)
    for keep_tape in (True, True, False):
        log.clear()
        loss.backward(keep_tape=keep_tape)
        assert log == backward_events(backprop, depth)
    log.clear()
    with pytest.raises(RuntimeError, match="keep_tape=True"):
        loss.backward()
    assert log == []


@every_arithmetic
@pytest.mark.parametrize("backprop", WAYS)
def test_without_gradients_everything_runs_once(backprop, arithmetic):
    net, log = logged_net(4, arithmetic=arithmetic, backprop=backprop)
    once = ["run start", "run 0", "run 1", "run 2", "run 3"]
    with no_grad():
        net(np.ones(3))
    assert log == once
    log.clear()
    state = net.run(np.ones(3))
    assert log == once
    log.clear()
    net.invert(state)
    assert log == ["again run 3", "again run 2", "again run 1", "again run 0", "again run start"]


@every_arithmetic
@pytest.mark.parametrize("backprop", WAYS)
def test_constant_inputs_need_no_differentiation_of_more(backprop, arithmetic):
    """x needs no gradient, the weights do: the schedule is the same, and the weights' gradients are."""
    gradients = []
    for requires_grad in (True, False):
        net, log = logged_net(3, arithmetic=arithmetic, backprop=backprop)
        y = net(Tensor(np.ones(3), requires_grad=requires_grad))
        log.clear()
        y.sum().backward()
        assert log == backward_events(backprop, 3)
        gradients.append({name: parameter.grad for name, parameter in net.named_parameters()})
    assert_same_bits(*gradients)


@every_arithmetic
def test_inversion_is_measured_in_one_run_and_one_back(arithmetic):
    net, log = logged_net(2, arithmetic=arithmetic)
    net.check_inversion(np.ones(3))
    assert log == ["again run start", "again run 0", "again run 1", "again run 1", "again run 0"]
