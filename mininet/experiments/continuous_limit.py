"""Networks as numerical methods for differential equations: the networks, accurate solutions, and observed orders.

Give N layers the functions h f with h = 1 / N, and let gamma = 1 - h / eps.  With v = h u, the paper's equation 2 reads

    u_{n+1} = u_n + h (f(x_n, t_n) - u_n) / eps            x_{n+1} = x_n + h u_{n+1}            t_n = n h

which is Euler's method (semi-implicit: x moves with the new u) for u = x' and

    eps x'' + x' = f(x, t),    0 <= t <= 1

so it converges at first order in h.  It needs h < eps; at h = eps, gamma is 0 and this is the plain residual network,
Euler's method for x' = f(x, t), also the limit of the second-order equation as eps -> 0.  Networks run in float64 with
``arithmetic="float"``: exact arithmetic would round x, v and gamma, which is not what is measured here.
"""

import dataclasses
import math

import numpy as np

from ..autodiff import Tensor, no_grad
from ..base.checks import float_array, integer, number
from ..reversible import MomentumNet, ResidualNet

REFERENCE_STEPS = 256
ORDER = (0.9, 1.1)
"""Between these, an observed order counts as first order."""


def layers(field, depth):
    """The functions x -> h f(x, n h) for n = 0, ..., depth - 1 and h = 1 / depth, from a callable `field(x, t)`."""
    h = 1 / integer("depth", depth, 1)
    if not callable(field):
        raise TypeError(f"field must be callable, got {type(field).__name__}")
    return [lambda x, n=n: h * field(x, n * h) for n in range(depth)]


def momentum_net(field, epsilon, depth):
    """The momentum network that follows eps x'' + x' = f(x, t) from x'(0) = 0."""
    functions = layers(field, depth)
    epsilon = number("epsilon", epsilon, above=1 / depth)
    return MomentumNet(functions, gamma=1 - 1 / (depth * epsilon), arithmetic="float")


def residual_net(field, depth):
    """The residual network that follows x' = f(x, t)."""
    return ResidualNet(layers(field, depth))


def first_order(field):
    """The right-hand side of x' = f(x, t), for arrays: (x, t) -> x'."""

    def rate(x, t):
        with no_grad():
            return field(Tensor(x), t).data

    return rate


def second_order(field, epsilon):
    """The right-hand side of eps x'' + x' = f(x, t), for states (x, x') of shape (2, *x.shape)."""
    force, epsilon = first_order(field), number("epsilon", epsilon, above=0)
    return lambda state, t: np.stack([state[1], (force(state[0], t) - state[1]) / epsilon])


def runge_kutta(rate, state, steps):
    """Solve state' = rate(state, t) by the classical method of order 4; states at t = 0, 1 / steps, ..., 1."""
    h = 1 / integer("steps", steps, 1)
    states = [state]
    for n in range(steps):
        t = n * h
        first = rate(state, t)
        second = rate(state + h / 2 * first, t + h / 2)
        third = rate(state + h / 2 * second, t + h / 2)
        fourth = rate(state + h * third, t + h)
        state = state + h / 6 * (first + 2 * second + 2 * third + fourth)
        states.append(state)
    return np.stack(states)


@dataclasses.dataclass(frozen=True)
class Reference:
    """An accurate solution, with an estimate of its largest error."""

    positions: np.ndarray  # (steps + 1, *x0.shape)
    error: float


def reference(field, x0, epsilon=None, steps=REFERENCE_STEPS):
    """Solve the second-order equation with `epsilon`, from x'(0) = 0; without it, the first-order equation."""
    float_array("x0", x0)
    integer("steps", steps, 2)
    if epsilon is None:
        fine, coarse = (runge_kutta(first_order(field), x0, count) for count in (steps, steps // 2))
    else:
        rate, state = second_order(field, epsilon), np.stack([x0, np.zeros_like(x0)])
        fine, coarse = (runge_kutta(rate, state, count)[:, 0] for count in (steps, steps // 2))
    # half as many steps make 16 times the error at order 4: the two differ by 15 times that of the better one
    return Reference(fine, distance(fine, coarse) / 15)


def distance(path, other):
    """The largest distance of two paths (times, points, dimension), evenly spaced in time, where both have points."""
    steps = math.gcd(len(path) - 1, len(other) - 1)
    path, other = (each[:: (len(each) - 1) // steps] for each in (path, other))
    return float(np.linalg.norm(path - other, axis=-1).max())


@dataclasses.dataclass(frozen=True)
class Convergence:
    """How something approaches its limit: errors, as `small`, a step h or eps, goes to 0."""

    small: tuple
    errors: tuple
    reference_error: float = 0.0  # of the accurate solutions that took part

    @property
    def orders(self):
        """The p of error ~ small^p between neighbours."""
        return np.diff(np.log(self.errors)) / np.diff(np.log(self.small))


def convergence(make_net, exact, depths):
    """`Convergence` of the trajectories of ``make_net(depth)`` to `exact`, a `Reference`, as h = 1 / depth shrinks."""
    x0 = exact.positions[0]
    errors = tuple(distance(make_net(depth).trajectory(x0), exact.positions) for depth in depths)
    return Convergence(tuple(1 / depth for depth in depths), errors, exact.error)


def is_first_order(orders):
    """Whether all observed orders are within `ORDER`; of none, no."""
    orders = np.asarray(orders)
    return bool(orders.size and np.all((orders >= ORDER[0]) & (orders <= ORDER[1])))


def described(orders):
    """The range of observed orders, as text."""
    return f"{min(orders):.3f} to {max(orders):.3f}"
