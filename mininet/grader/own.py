"""mininet's own `MomentumNet`, seen as an implementation, so that the grader's suite tests it too.

The layers become modules whose one operation evaluates the layer; the network inverts and differentiates as always.
v_0 is given as the value of a function of x_0 with a parameter, v_0 itself, whose gradient is then dL/dv_0.
"""

import numpy as np

from .. import nn, seeding
from ..autodiff import Tensor, is_recording, is_replaying, replaying
from ..autodiff.tape import Operation
from ..autodiff.tensor import apply
from ..reversible import ExactState, FloatState, MomentumNet
from ..reversible.evaluation import Replay
from .reference import UNIT

__all__ = ["backward", "backward_exact", "forward", "forward_exact", "invert", "invert_exact"]


class _AsModule(nn.Module):
    """A layer of the grader as a module."""

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
        """f(x)."""
        return apply(self._operation, x, *self.values)


class _Given(nn.Module):
    """A function of x that is `value` whatever x is."""

    def __init__(self, value):
        super().__init__()
        self.value = nn.Parameter(value)

    def forward(self, x):
        """The value."""
        return self.value * 1.0


def _net(functions, gamma, arithmetic, v=None):
    modules = {layer: _AsModule(layer) for layer in functions}  # the same module where the same layer stands
    start = None if v is None else _Given(v)
    return MomentumNet([modules[layer] for layer in functions], gamma, start, arithmetic=arithmetic)


def _invert(net, state):
    """Run a state back that `net` has not run itself, but might have."""
    state.layer, state.replay = len(net.functions), Replay(net)
    for layer, function in enumerate(net.functions):
        with state.replay.evaluating(layer, function, again=False):
            pass  # notes that there is nothing to note: no random numbers, everything in training
    net.invert(state)
    return state


def _backward(functions, gamma, arithmetic, x, v, dx):
    """From x_0 and v_0: the forward pass is repeated, silently."""
    net = _net(functions, gamma, arithmetic, v)
    x = Tensor(x, requires_grad=True)
    with replaying(seeding.position()):
        net(x).backward(dx)
    gradients = []
    for n, (layer, module) in enumerate(zip(functions, net.functions, strict=True)):
        is_first = functions.index(layer) == n  # where it stands again, its gradient is in the sum already
        gradients.append([p.grad if is_first else np.zeros_like(p.data) for p in module.values])
    return x.grad, net.init_velocity.value.grad, gradients


# Floats


def forward(functions, gamma, x, v):
    """x_N and v_N."""
    return _net(functions, gamma, "float", v).run(x).values()


def invert(functions, gamma, x, v):
    """x_0 and v_0."""
    state = FloatState(x, gamma)
    state.set_velocity(v)
    return _invert(_net(functions, gamma, "float"), state).values()


def backward(functions, gamma, x, v, dx):
    """dL/dx_0, dL/dv_0 and the gradients by parameters."""
    return _backward(functions, gamma, "float", *invert(functions, gamma, x, v), dx)


# Integers in units of 2^-40


def forward_exact(functions, n, d, x, v):
    """x_N, v_N, the buffers and what was spilled."""
    state = _net(functions, n / d, "exact", v * UNIT).run(x * UNIT)
    return state.position, state.velocity, state.buffer, state.spilled


def invert_exact(functions, n, d, state):
    """x_0 and v_0."""
    position, velocity, buffer, spilled = state
    state = ExactState(position * UNIT, n / d)
    state.position, state.velocity, state.buffer, state.spilled = position, velocity, buffer, list(spilled)
    state = _invert(_net(functions, n / d, "exact"), state)
    return state.position, state.velocity


def backward_exact(functions, n, d, state, dx):
    """dL/dx_0, dL/dv_0 and the gradients by parameters."""
    x, v = invert_exact(functions, n, d, state)
    return _backward(functions, n / d, "exact", x * UNIT, v * UNIT, dx)
