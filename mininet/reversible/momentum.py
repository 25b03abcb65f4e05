"""The momentum residual network: the paper's subject.

    v_{n+1} = gamma v_n + (1 - gamma) f_n(x_n)        x_{n+1} = x_n + v_{n+1}         (equation 2)

It is run backwards in closed form,

    x_n = x_{n+1} - v_{n+1}                           v_n = (v_{n+1} - (1 - gamma) f_n(x_n)) / gamma

so its backward pass needs no stored activations: undo one layer, evaluate f_n once more on a local tape, take one
vector-Jacobian product, drop the tape.  That loop is in `network`, shared with the rivals; the rule and its inverse are
in `states`; here are the network's settings and the adjoint of its rule.
"""

import numbers

from ..checks import shown
from ..kernels import buffers, exact
from ..kernels.momentum import add, adjoint_step
from .network import LayeredNet, network_operation
from .protocol import Adjoint, Rule
from .states import ExactState, FloatState


class MomentumNet(LayeredNet):
    """A residual network with momentum, drop-in for ``x = x + f(x)`` layers, trained without storing activations.

    Called as ``net(x, *inputs, **keywords)``, where inputs and keywords are passed to every residual function.
    ``run(x)`` gives the final state, a `FloatState` or an `ExactState`, ``invert(state)`` runs it back and returns x_0
    and v_0 as floats, ``check_inversion(x)`` reports how exactly all x_n and v_n come back.

    Parameters
    ----------
    functions : sequence of callables
        The residual functions f_0, ..., f_{N-1}, modules as a rule.  Each maps x to a tensor of the same shape and
        dtype, ``f(x, *inputs, **keywords)``; the same one may stand at several layers.  No layers is the identity.
        The array of x is overwritten after the call: a function that keeps it must copy it.
    gamma : float
        Momentum, at least 0 and below 1; 0 is the plain residual network, for ``backprop="stored"`` only.
    init_velocity : callable, optional
        v_0 = init_velocity(x_0); without it v_0 = 0.
    is_residual : bool
        False if the functions compute the whole map of a residual block, so that f(x) = function(x) - x.
    arithmetic : {"exact", "float"}
        Whether x and v are integers, and the inversion exact to the last bit, or floats.  In exact arithmetic gamma is
        a fraction near it, and x_0, x and v are rounded to multiples of 2^-40 (9.1e-13), up to 2,097,152.
    backprop : {"reversible", "stored", "checkpointed"}
        What is kept for the backward pass: the final state; all activations; the state every sqrt(N) layers.
        Parameters must not change between forward and backward: what is computed again would be something else.  The
        checkpointed way notices, and in exact arithmetic the reversible one; the others cannot.

    Raises
    ------
    ValueError
        For an argument outside what is allowed, naming it.

    Examples
    --------
    >>> net = MomentumNet([nn.Sequential(nn.Linear(8, 8), nn.Tanh()) for _ in range(100)], gamma=0.9)
    >>> y = net(x)
    """

    _operation = network_operation("momentum_net")

    def __init__(self, functions, gamma=0.9, init_velocity=None, is_residual=True, arithmetic="exact",
                 backprop="reversible"):  # fmt: skip
        super().__init__(functions, is_residual, arithmetic, backprop)
        self.init_velocity = init_velocity
        self.gamma = gamma
        self._check_settings()

    def _check_settings(self):
        super()._check_settings()
        if self.init_velocity is not None and not callable(self.init_velocity):
            raise ValueError(f"init_velocity must be None or a callable, got {type(self.init_velocity).__name__}")
        if isinstance(self.init_velocity, type):
            raise ValueError(f"init_velocity must be None or a callable, got the class {self.init_velocity.__name__}")
        if not isinstance(self.gamma, numbers.Real) or isinstance(self.gamma, bool) or not 0 <= self.gamma < 1:
            raise ValueError(f"gamma must be a number of at least 0 and below 1, got {shown(self.gamma)}")
        if self.gamma == 0 and self.backprop != "stored":
            raise ValueError(
                f"gamma must be above 0 for backprop={self.backprop!r}, got 0: a plain residual network "
                "cannot be run back; use backprop='stored'"
            )
        self.gamma = float(self.gamma)
        if self.arithmetic == "exact":
            exact.as_fraction(self.gamma)

    def _require_invertible(self):
        if self.gamma == 0:
            raise ValueError("gamma must be above 0 to invert, got 0")

    def described(self):
        """The settings of this net, for `repr`."""
        return (
            f"depth={len(self.functions)}, gamma={self.gamma}, is_residual={self.is_residual}, "
            f"arithmetic={self.arithmetic!r}, backprop={self.backprop!r}"
        )

    def rule(self):
        """Equation 2, with gamma as it is now."""
        return MomentumRule(self.gamma, self.init_velocity, self.arithmetic)


class MomentumRule(Rule):
    """Equation 2 in either arithmetic.

    Attributes
    ----------
    gamma : float
        As the arithmetic has it: the float nearest to its fraction, if exact.
    """

    def __init__(self, gamma, init_velocity, arithmetic):
        self._fraction = exact.as_fraction(gamma) if arithmetic == "exact" else None
        self.gamma = gamma if self._fraction is None else float(self._fraction)
        self.start_function = init_velocity

    def state(self, x, invertible):
        """x_0 and v_0 = 0."""
        if self._fraction is not None:
            return ExactState(x, self._fraction, invertible)
        if self.gamma and x.dtype.type(self.gamma) == 0:
            raise ValueError(f"gamma must not vanish in {x.dtype}, got {self.gamma!r}")
        return FloatState(x, self.gamma)

    def adjoint(self, gradient):
        """p = dL/dx_N and q = dL/dv_N = 0."""
        return MomentumAdjoint(gradient, self.gamma)


class MomentumAdjoint(Adjoint):
    """The adjoint of the momentum rule, layer by layer from the last one, with p = dL/dx and q = dL/dv:

        s = p + q      p <- p + (1 - gamma) (df/dx)^T s      dL/dtheta = (1 - gamma) (df/dtheta)^T s      q <- gamma s

    and for v_0 = g(x_0) at last  p <- p + (dg/dx)^T q.
    """  # fmt: skip

    def __init__(self, gradient, gamma):
        self._p = buffers.empty(gradient.shape, gradient.dtype, "gradients")
        self._p[...] = gradient
        self._q = buffers.zeros(gradient.shape, gradient.dtype, "gradients")
        self._gamma = gamma

    def by_residual(self):
        """q <- gamma s; returns dL/df = (1 - gamma) s."""
        return adjoint_step(self._p, self._q, self._gamma)

    def by_start(self):
        """dL/dv_0 = q."""
        return self._q

    def add(self, by_x):
        """p <- p + by_x."""
        add(self._p, by_x)

    def by_x(self):
        """dL/dx_0 = p."""
        return self._p
