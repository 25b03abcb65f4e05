"""The momentum residual network: the paper's subject.

    v_{n+1} = gamma v_n + (1 - gamma) f_n(x_n)        x_{n+1} = x_n + v_{n+1}                        (equation 2)

It runs backwards in closed form,

    x_n = x_{n+1} - v_{n+1}                           v_n = (v_{n+1} - (1 - gamma) f_n(x_n)) / gamma

so its backward pass needs no stored activations.  With p_n = dL/dx_n and q_n = dL/dv_n, and s = p_{n+1} + q_{n+1}
because everything reaches the loss through v_{n+1},

    dL/dtheta_n = (1 - gamma) (df_n/dtheta)^T s       p_n = p_{n+1} + (1 - gamma) (df_n/dx)^T s       q_n = gamma s

This page has the rule and its inverse, in floats and in exact arithmetic, and the adjoint.  `call` goes through all
layers with them.  The loops over elements are in `mininet.kernels.momentum`, for floats, and `mininet.kernels.exact`.
"""

import fractions
from collections.abc import Callable, Iterable
from typing import ClassVar

from ..autodiff import Tensor
from ..base.checks import alike, float_array
from ..base.types import AnyArray, Arithmetic, Backprop, FloatArray
from ..kernels import buffers, exact, momentum
from ..kernels.remainders import Remainders
from .network import LayeredNet, Pull
from .replay import ResidualFunction
from .state import ArrayFunction, ExactPositionState, State


class MomentumNet(LayeredNet["ExactState | FloatState", tuple[FloatArray, FloatArray]]):
    """A residual network with momentum, drop-in for ``x = x + f(x)`` layers, trained without storing activations.

    Called as ``net(x, *inputs, **keywords)``; every residual function gets the inputs and keywords beside x.

    Parameters
    ----------
    functions : sequence of callables
        The residual functions f_0, ..., f_{N-1}, usually modules.  Each maps x to a tensor of the same shape and dtype,
        ``f(x, *inputs, **keywords)``.  Several layers may share one.
        One that keeps the array of x must copy it: in float arithmetic the next layer overwrites it.
    gamma : float
        Momentum, at least 0 and below 1; 0 is the plain residual network, for ``backprop="stored"`` only.
    init_velocity : callable, optional
        v_0 = init_velocity(x_0); without it v_0 = 0.
    is_residual : bool
        False if the functions compute the whole map of a residual block, so that f(x) = function(x) - x.
    arithmetic : {"exact", "float"}
        Whether x and v are integers, inverted exactly to the last bit, or floats.  In exact arithmetic x_0, x and v are
        rounded to multiples of 2^-40 (9.1e-13), up to 2,097,152, and gamma is a fraction n/d: each product with it is
        off by less than n of these units.  0.9 is 9/10; a gamma that is no simple fraction is off by some 1e-8.
    backprop : {"reversible", "stored", "checkpointed"}
        What is kept for the backward pass: the final state; all activations; the state every sqrt(N) layers.
        Parameters must not change between forward and backward, because functions are evaluated again.  A change
        that shows in their values is noticed by the checkpointed way, and in exact arithmetic by the reversible one.

    Raises
    ------
    ValueError
        For an argument outside what is allowed, naming it.

    Examples
    --------
    >>> net = MomentumNet([nn.Sequential(nn.Linear(8, 8), nn.Tanh()) for _ in range(100)], gamma=0.9)
    >>> y = net(np.zeros((4, 8), np.float32))
    >>> y.shape
    (4, 8)
    """

    SETTINGS = ("gamma", *LayeredNet.SETTINGS)

    def __init__(
        self,
        functions: Iterable[ResidualFunction],
        gamma: float = 0.9,
        init_velocity: Callable[[Tensor], Tensor] | None = None,
        is_residual: bool = True,
        arithmetic: Arithmetic = "exact",
        backprop: Backprop = "reversible",
    ) -> None:
        super().__init__(functions, is_residual, arithmetic, backprop, gamma=gamma, init_velocity=init_velocity)

    def start(self, x: FloatArray, invertible: bool) -> "ExactState | FloatState":
        """x_0 = x and v_0 = 0."""
        if self.arithmetic == "exact":
            return ExactState(x, exact.as_fraction(self.gamma), invertible)
        return FloatState(x, self.gamma)

    def adjoint(self, gradient: FloatArray, pulls: Iterable[Pull]) -> tuple[FloatArray, FloatArray]:
        """dL/dx_0 and dL/dv_0 from dL/dx_N."""
        gamma = float(exact.as_fraction(self.gamma)) if self.arithmetic == "exact" else self.gamma
        keep, take = momentum.coefficients(gamma, gradient.dtype)
        p, q = buffers.copy(gradient), buffers.zeros_like(gradient)
        for pull in pulls:  # to ask for the next pull is to undo a layer
            by_residual = momentum.adjoint_step(p, q, keep, take)  # s = p + q;  dL/df = (1 - gamma) s;  q = gamma s
            momentum.add(p, pull(by_residual))  # p = p + (1 - gamma) (df/dx)^T s
        return p, q


class FloatState(State):
    """x and v as floats, `position` and `velocity`.

    Going back divides rounding errors by gamma: after N layers they have grown like gamma^-N.

    Parameters
    ----------
    position : ndarray of float32 or float64
        x_0; copied.  v_0 is 0 until `set_velocity`.
    gamma : float
        At least 0 and below 1.

    Examples
    --------
    >>> state = FloatState(np.ones(1), gamma=0.5)
    >>> state.step(np.array([2.0]))
    >>> state.position, state.velocity
    (array([2.]), array([1.]))
    >>> state.undo(lambda x: 2 * x)
    >>> state.values()
    (array([1.]), array([0.]))
    """

    variables: ClassVar = {"position": "x", "velocity": "v"}
    step_name = "float momentum step"

    def __init__(self, position: FloatArray, gamma: float) -> None:
        self.gamma = gamma
        self._coefficients = momentum.coefficients(gamma, float_array("position", position).dtype)
        self.position, self.velocity = buffers.copy(position), buffers.zeros_like(position)
        self._position_is_undone = False  # whether `position` is already that of the layer before

    def set_velocity(self, velocity: FloatArray) -> None:
        """Start from another v_0 than 0."""
        self.velocity[...] = alike("velocity", velocity, self.position.shape, self.position.dtype)

    def input(self, lasting: bool = False) -> FloatArray:
        """x itself, or a copy."""
        return buffers.copy(self.position) if lasting else self.position

    def values(self) -> tuple[FloatArray, FloatArray]:
        """Copies of x and v."""
        return self.position.copy(), self.velocity.copy()

    def step(self, residual: FloatArray) -> None:
        """v = gamma v + (1 - gamma) f(x), then x = x + v."""
        momentum.step(self.position, self.velocity, residual, *self._coefficients)
        self.layer += 1

    def undo(self, function: ArrayFunction, continues: bool = False) -> None:
        """x = x - v, then v = (v - (1 - gamma) f(x)) / gamma."""
        if not self._position_is_undone:
            momentum.undo_position(self.position, self.velocity)
            self._position_is_undone = True  # also if the function raises an error
        # a tape of it is walked before x moves on, so it needs no copy
        momentum.undo_velocity(self.velocity, function(self.position), *self._coefficients)
        self._position_is_undone = False
        self.layer -= 1


class ExactState(ExactPositionState):
    """x and v as integers in units of 2^-40, `position` and `velocity`, and the `remainders` of multiplying v by gamma.

    They take 8, 8 and 4 bytes an element, and a byte more whenever bits are spilled: at gamma 0.9 first before layer
    194, then after every 53 or so.
    `mininet.kernels.exact` explains the arithmetic.  Functions see the float nearest to x.  Going back x is the same
    integer, so functions are evaluated at the same bits again.

    Parameters
    ----------
    position : ndarray of float32 or float64
        x_0.  v_0 is 0 until `set_velocity`.
    gamma : fractions.Fraction or float
        A float stands for the nearest fraction with a small denominator, `fraction`.
    invertible : bool
        Whether spilled bits are kept, so that the state can be run back.

    Examples
    --------
    >>> state = ExactState(np.ones(1), gamma=0.9)
    >>> state.step(np.array([0.3]))
    >>> state.undo(lambda x: 0.3 * x)
    >>> state.values()
    (array([1.]), array([0.]))
    """

    variables: ClassVar = {"position": "x", "velocity": "v"}
    step_name = "exact momentum step"

    def __init__(self, position: FloatArray, gamma: fractions.Fraction | float, invertible: bool = True) -> None:
        self.fraction = gamma if isinstance(gamma, fractions.Fraction) else exact.as_fraction(gamma)
        super().__init__(float_array("position", position))
        self.velocity = buffers.zeros_like(self.position)
        self._coefficients = exact.coefficients(self.fraction)
        self.remainders = Remainders(self.fraction, position.shape, invertible)
        self._position_is_undone = False  # whether `position` is already that of the layer before

    @property
    def gamma(self) -> float:
        """The float nearest to `fraction`."""
        return float(self.fraction)

    def side_information(self) -> list[AnyArray]:
        """The packed remainders."""
        return [self.remainders.packed]

    def set_velocity(self, velocity: FloatArray) -> None:
        """Start from another v_0 than 0, rounded to units."""
        velocity = alike("velocity", velocity, self.position.shape, self._dtype)
        self.velocity[...] = exact.to_units("the initial velocity", velocity)

    def values(self) -> tuple[FloatArray, FloatArray]:
        """x and v as floats."""
        return self.output(), exact.to_floats(self.velocity, self._dtype)

    def step(self, residual: FloatArray) -> None:
        """v = gamma v + (1 - gamma) f(x), then x = x + v; the remainders take in what gamma v loses."""
        self.remainders.make_room(self.layer)
        b = self.remainders.packed
        self._input = exact.step(self.position, self.velocity, b, residual, self._coefficients, self._dtype)
        self.layer += 1

    def undo(self, function: ArrayFunction, continues: bool = False) -> None:
        """x = x - v, then v = (v - (1 - gamma) f(x)) / gamma, with the bits that the remainders give back.

        If it `continues` with the layer before, that one's x comes back in the same pass over memory, in
        `exact.undo_velocity_and_position`.  Until then `position` is already that of the layer before.
        """
        if not self._position_is_undone:
            self._input = exact.undo_position(self.position, self.velocity, self._dtype)
            self._position_is_undone = True  # also if the function raises an error
        residual, b = function(self.input()), self.remainders.packed
        self._position_is_undone, self._input = continues, None  # the floats go before the next ones are made
        if continues:
            self._input = exact.undo_velocity_and_position(
                self.position, self.velocity, b, residual, self._coefficients, self._dtype
            )
        else:
            exact.undo_velocity(self.velocity, b, residual, self._coefficients, self._dtype)
        self.layer -= 1
        self.remainders.take_back(self.layer)

    def copy(self) -> "ExactState":
        """An independent state."""
        other = super().copy()
        other.remainders = self.remainders.copy()
        return other

    def can_be_start(self, velocity: FloatArray | None) -> bool:
        """Whether v is v_0 and no remainder is left, as at the start of every run."""
        expected = 0 if velocity is None else exact.to_units("the initial velocity", velocity)
        return not self.remainders.packed.any() and not (self.velocity != expected).any()
