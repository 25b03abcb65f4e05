"""The residual network (He et al., CVPR 2016), x_{n+1} = x_n + f_n(x_n): what all the others are compared with.

It has no inverse in closed form and may have none at all, so its activations are stored, or computed again from
checkpoints, every sqrt(N) layers, which takes memory of order sqrt(N) and one more forward pass (Chen, Xu, Zhang,
Guestrin, "Training Deep Nets with Sublinear Memory Cost", 2016).
"""

import numpy as np

from .. import memory
from ..kernels.elementwise import in_shares
from ..kernels.momentum import add
from ..profiling import measured_as
from .network import LayeredNet, network_operation
from .protocol import Adjoint, Rule, State


class ResidualNet(LayeredNet):
    """A residual network in floating point, with stored or checkpointed backpropagation.

    Called as ``net(x, *inputs, **keywords)``.  ``run(x)`` gives the final state, a `PlainState`; `invert` and
    `check_inversion` raise a ValueError.

    Parameters
    ----------
    functions : sequence of callables
        The residual functions, as for `MomentumNet`.
    is_residual : bool
        False if the functions compute the whole map of a residual block, so that f(x) = function(x) - x.
    backprop : {"stored", "checkpointed"}
        What is kept for the backward pass: all activations; x every sqrt(N) layers.  The checkpointed way notices if
        parameters have changed in between.

    Raises
    ------
    ValueError
        For an argument outside what is allowed, naming it.
    """

    ARITHMETICS = ("float",)
    WAYS = ("stored", "checkpointed")
    _operation = network_operation("residual_net")

    def __init__(self, functions, is_residual=True, backprop="stored"):
        super().__init__(functions, is_residual, "float", backprop)
        self._check_settings()

    def described(self):
        """The settings of this net, for `repr`."""
        return f"depth={len(self.functions)}, is_residual={self.is_residual}, backprop={self.backprop!r}"

    def rule(self):
        """x + f(x)."""
        return ResidualRule()

    def _require_invertible(self):
        raise ValueError(
            "a ResidualNet cannot be inverted: x + f(x) has no inverse in closed form; use MomentumNet or RevNet, "
            "or IResNet if f is a contraction"
        )


class ResidualRule(Rule):
    """x -> x + f(x)."""

    def state(self, x, invertible):
        """x_0."""
        return PlainState(x)

    def adjoint(self, gradient):
        """p = dL/dx_N."""
        return PlainAdjoint(gradient)


class PlainState(State):
    """x as floats.

    Attributes
    ----------
    position : ndarray
    """

    def __init__(self, position):
        self.position = np.array(position, order="C")
        self._note("state")

    def arrays(self):
        """(position,) itself."""
        return (self.position,)

    def _copy_arrays(self):
        self.position = self.position.copy()

    def value(self):
        """x; the array is overwritten by the next step."""
        return self.position

    @measured_as("residual step")
    def step(self, residual):
        """Run one layer, given f(x)."""
        add(self.position, residual)
        self.layer += 1


class PlainAdjoint(Adjoint):
    """With p = dL/dx:  dL/df = p,  dL/dtheta = (df/dtheta)^T p,  p <- p + (df/dx)^T p."""

    def __init__(self, gradient):
        self._p = gradient

    def by_residual(self):
        """dL/df = p, which is never overwritten."""
        return self._p

    def add(self, by_x):
        """p <- p + by_x, as a new array: the old one was handed out."""
        self._p = np.asarray(in_shares(np.add, self._p, by_x))
        memory.note(self._p, "gradients")

    def by_x(self):
        """dL/dx_0 = p."""
        return self._p
