"""mininet's own `MomentumNet` as an implementation for the grader.

Each layer becomes a module with a single operation; the network inverts and differentiates as always.  v_0 comes from a
function of x_0 whose only parameter is v_0 itself, so that parameter's gradient is dL/dv_0.
"""

import numpy as np

from mininet import nn, seeding
from mininet.autodiff import Operation, Tensor, is_recording, is_replaying, replaying
from mininet.grader.reference import UNIT
from mininet.reversible import ExactState, FloatState, MomentumNet


class _AsModule(nn.Module):
    """Makes a module of a layer of the grader."""

    def __init__(self, layer):
        super().__init__()
        self.values = [nn.Parameter(theta) for theta in layer.parameters]

        def forward(x, *parameters):
            if not is_recording():
                return layer(x, replay=is_replaying()), None
            value, pullback = layer.vjp(x, replay=is_replaying())
            return value, (pullback,)

        def vjp(saved, gradient, needs):
            by_x, by_parameters = saved[0](gradient)
            return by_x, *by_parameters

        self._operation = Operation("layer", forward, vjp)

    def forward(self, x):
        return self._operation(x, *self.values)


class _Given(nn.Module):
    """The constant function with this value."""

    def __init__(self, value):
        super().__init__()
        self.value = nn.Parameter(value)

    def forward(self, x):
        return self.value * 1.0


def _net(functions, gamma, arithmetic, start=None):
    modules = {layer: _AsModule(layer) for layer in functions}  # a shared layer is a shared module
    return MomentumNet([modules[layer] for layer in functions], gamma, start, arithmetic=arithmetic)


def _invert(net, state):
    """Run a state back that `net` might have made itself: borrow the calls of a run that it did make."""
    with replaying(seeding.position()):
        other = net.run(np.zeros_like(state.input()))
    state.layer = other.layer
    for _ in net.functions:
        other.call.undo(state)
    return state


def _backward(functions, gamma, arithmetic, x, v, dx):
    """Repeat the forward pass from x_0 and v_0, leaving no trace, and differentiate."""
    start, leaf = _Given(v), Tensor(x, requires_grad=True)
    net = _net(functions, gamma, arithmetic, start)
    with replaying(seeding.position()):
        net(leaf).backward(dx)
    gradients = []
    for n, (layer, module) in enumerate(zip(functions, net.functions, strict=True)):
        is_first = functions.index(layer) == n  # later layers: their gradient is part of the first one's already
        gradients.append([p.grad if is_first else np.zeros_like(p.data) for p in module.values])
    return leaf.grad, start.value.grad, gradients


def forward(functions, gamma, x, v):
    return _net(functions, gamma, "float", _Given(v)).run(x).values()


def invert(functions, gamma, x, v):
    state = FloatState(x, gamma)
    state.set_velocity(v)
    return _invert(_net(functions, gamma, "float"), state).values()


def backward(functions, gamma, x, v, dx):
    return _backward(functions, gamma, "float", *invert(functions, gamma, x, v), dx)


def forward_exact(functions, n, d, x, v):
    state = _net(functions, n / d, "exact", _Given(v * UNIT)).run(x * UNIT)
    return state.position, state.velocity, state.remainders.packed, state.remainders.spilled


def invert_exact(functions, n, d, state):
    position, velocity, words, spilled = state
    start = ExactState(position * UNIT, n / d)
    start.position, start.velocity = position, velocity
    start.remainders.packed, start.remainders.spilled = words, list(spilled)
    _invert(_net(functions, n / d, "exact"), start)
    return start.position, start.velocity


def backward_exact(functions, n, d, state, dx):
    x, v = invert_exact(functions, n, d, state)
    return _backward(functions, n / d, "exact", x * UNIT, v * UNIT, dx)
