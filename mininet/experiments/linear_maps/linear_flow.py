"""The linear case in closed form: where eps x'' + x' = theta x, with x'(0) = 0, takes x at time 1 (section 4).

The answer is x(1) = Psi_eps(theta) x(0) with

    Psi_eps(theta) = exp(-1 / (2 eps)) [cosh(alpha) + sinh(alpha) / (2 eps alpha)]
    alpha = sqrt(theta / eps + 1 / (4 eps^2))

an entire function of theta, since both square roots give the same.  For eps -> 0 it becomes exp(theta), where
x' = theta x, the limit of a residual network, takes x.
"""

import math

import numpy as np

from ...base.checks import array, number, shown

DEGREE = 7
SMALLEST_EPSILON = 1e-3
"""Below, the formula for `psi` overflows."""


def exponential(matrices):
    """exp of matrices (..., n, n), real or complex, by scaling, a Padé approximation, and squaring.

    For a norm of at most 1/2 and degree 7, this is exp of a matrix within 1e-19 of the given one, relatively (Golub and
    Van Loan, *Matrix Computations*, 4th edition, section 9.3.1).
    """
    matrices = square("matrices", matrices)
    norms = np.abs(matrices).sum(axis=-1).max(axis=-1)
    if not np.isfinite(norms).all():
        raise ValueError("matrices must be finite, got NaN or infinity")
    squarings = np.maximum(0, np.ceil(np.log2(np.maximum(norms, 0.5))) + 1)
    scaled = matrices / 2.0 ** squarings[..., None, None]
    numerator = denominator = term = np.broadcast_to(np.eye(matrices.shape[-1]), matrices.shape)
    for k in range(1, DEGREE + 1):
        term = scaled @ term * ((DEGREE - k + 1) / (k * (2 * DEGREE - k + 1)))
        numerator, denominator = numerator + term, denominator + (-1) ** k * term
    result = np.linalg.solve(denominator, numerator)
    for k in range(int(squarings.max())):
        result = np.where((k < squarings)[..., None, None], result @ result, result)
    return result


def square(name, matrices):
    """`matrices` as an array (..., n, n) of numbers with n of at least 1; an error that calls them `name` otherwise."""
    matrices = array(name, matrices)
    if matrices.ndim < 2 or matrices.shape[-1] != matrices.shape[-2] or matrices.dtype.kind not in "iufc":
        raise ValueError(f"{name} must be an array (..., n, n) of numbers, got {shown(matrices)}")
    if matrices.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {matrices.shape}")
    return matrices


def psi(theta, epsilon):
    """Psi_eps of numbers, an array of any shape, real or complex; by the formula, for epsilon of at least 1e-3."""
    theta = _numbers(theta)
    alpha, quotient = _alpha(theta, epsilon)
    value = math.exp(-1 / (2 * epsilon)) * (np.cosh(alpha) + quotient / (2 * epsilon))
    return value if np.iscomplexobj(theta) else value.real


def psi_derivative(theta, epsilon):
    """exp(-1 / (2 eps)) / (2 eps) [s + (cosh(alpha) - s) / (2 eps alpha^2)] with s = sinh(alpha) / alpha."""
    theta = _numbers(theta)
    alpha, quotient = _alpha(theta, epsilon)
    is_near = np.abs(alpha) < 1e-3  # there, a series: nearly equal numbers would be subtracted
    difference = np.where(is_near, 1 / 3 + alpha**2 / 30, (np.cosh(alpha) - quotient) / np.where(is_near, 1, alpha**2))
    value = math.exp(-1 / (2 * epsilon)) / (2 * epsilon) * (quotient + difference / (2 * epsilon))
    return value if np.iscomplexobj(theta) else value.real


def _alpha(theta, epsilon):
    """alpha and sinh(alpha) / alpha."""
    epsilon = number("epsilon", epsilon, SMALLEST_EPSILON)
    alpha = np.sqrt(theta / epsilon + 1 / (4 * epsilon**2) + 0j)
    return alpha, np.where(alpha == 0, 1, np.sinh(alpha) / np.where(alpha == 0, 1, alpha))


def _numbers(theta):
    theta = array("theta", theta)
    if theta.dtype.kind not in "iufc":
        raise TypeError(f"theta must be numbers, got {shown(theta)}")
    return theta


def psi_of_matrix(theta, epsilon):
    """Psi_eps of matrices (..., n, n), real or complex; epsilon can be an array (..., 1, 1).

    It is a block of exp [[0, 1], [theta / eps, -1 / eps]].  That matrix takes (x, x') to its derivative, so its
    exponential takes (x, x') from time 0 to time 1.
    """
    theta = square("theta", theta)
    if not (np.asarray(epsilon) > 0).all():
        raise ValueError(f"epsilon must be above 0, got {shown(epsilon)}")
    one = np.broadcast_to(np.eye(theta.shape[-1]), theta.shape)
    rates = np.block([[0 * one, one], [theta / epsilon, -one / epsilon]])
    return exponential(rates)[..., : theta.shape[-1], : theta.shape[-1]]


def psi_by_eigenvalues(theta, epsilon):
    """Psi_eps of one real, diagonalisable matrix: theta = V diag(m) V^-1 gives V diag(psi(m)) V^-1."""
    values, vectors = np.linalg.eig(theta)
    return np.linalg.solve(vectors.T, (vectors * psi(values.astype(complex), epsilon)).T).T.real


def lowest_point(epsilon):
    """The real theta where Psi_eps is lowest.

    There alpha = i w with real w, and Psi_eps is a constant times cos(w) + sin(w) / (2 eps w), an oscillation that dies
    out.  It is lowest where its derivative first vanishes, at tan(w) = w / (2 eps w^2 + 1).  The tangent's slope is at
    least 1, the other side's at most 1, so there is one solution between pi and 3 pi / 2, and none before.
    """
    epsilon = number("epsilon", epsilon, above=0)
    low, high = math.pi, 1.5 * math.pi
    while low < (middle := (low + high) / 2) < high:
        if math.tan(middle) < middle / (2 * epsilon * middle**2 + 1):
            low = middle
        else:
            high = middle
    return -epsilon * low**2 - 1 / (4 * epsilon)


def lowest_value(epsilon):
    """lambda_eps, the minimum of Psi_eps over real theta: 0 for eps -> 0, -1 for eps -> infinity."""
    return float(psi(lowest_point(epsilon), epsilon))


ARC_STEPS = 32
NEWTON_STEPS = 50


def preimage(value, epsilon):
    """A theta with Psi_eps(theta) = value: real for a real value of at least lambda_eps, otherwise complex.

    On the real axis Psi_eps rises from its lowest point on.  For other values we start from |value|, and follow an arc
    to `value`, taking theta along by Newton's method.  That always works: the only values where Psi_eps' = 0 are real,
    and none of them is below lambda_eps.
    """
    value = complex(value)
    if not np.isfinite(value):
        raise ValueError(f"value must be finite, got {value}")
    if value.imag == 0 and value.real >= lowest_value(epsilon):
        return _real_preimage(value.real, epsilon)
    theta = complex(_real_preimage(abs(value), epsilon))
    for part in np.arange(1, ARC_STEPS + 1) / ARC_STEPS:
        theta = _newton(theta, abs(value) * np.exp(1j * part * np.angle(value)), epsilon)
    return _newton(theta, value, epsilon)


def _real_preimage(value, epsilon):
    low, width = lowest_point(epsilon), 1.0
    while psi(low + width, epsilon) < value:
        width *= 2
    high = low + width
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if psi(middle, epsilon) < value else (low, middle)
    return high


def _newton(theta, value, epsilon):
    for _ in range(NEWTON_STEPS):
        step = (psi(theta, epsilon) - value) / psi_derivative(theta, epsilon)
        theta -= step
        if abs(step) <= 1e-14 * max(1, abs(theta)):
            return complex(theta)
    if abs(psi(theta, epsilon) - value) > 1e-10 * max(1, abs(value)):
        raise ArithmeticError(f"no theta was found for {value} at epsilon {epsilon}")
    return complex(theta)
