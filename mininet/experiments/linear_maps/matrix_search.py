"""Is there a real theta with Psi_eps(theta) = D?  A numerical attempt that knows nothing of the theorem.

Levenberg and Marquardt's method minimises |Psi_eps(theta) - D|^2 from many random starts at once, with derivatives by
complex steps, Im Psi_eps(theta + i h E) / h (Squire and Trapp, SIAM Review 1998), which round no difference.

How near can it come to a D out of reach?  Let V diagonalise D, with the condition number c, and let D have a real
eigenvalue below the bar by m or more, and at least 2 m from all others.  A change of D by less than m / c moves no
eigenvalue by m (Bauer and Fike 1960): that one stays below the bar, alone, so all that can be reached is at least m / c
away.  `draw` makes matrices with m > MARGIN and c < CONDITION; FOUND is far below MARGIN / CONDITION, and far above
rounding errors.
"""

import dataclasses

import numpy as np
from tqdm import tqdm

from .linear_flow import lowest_value, psi_of_matrix

MARGIN = 0.1
CONDITION = 20.0
FOUND = 1e-6
EPSILONS = (0.5, 1.0, 2.0, 10.0)
PAIRED_EVERY = 5
COMPLEX_STEP = 1e-20
ROUNDING = 1e-10
TRIES = 1000
"""Random matrices that are drawn at most: of size 2 and 3, most are far from the bar and have eigenvalues apart."""


@dataclasses.dataclass(frozen=True)
class Attempt:
    """A matrix, and how near a search came to it."""

    matrix: np.ndarray
    epsilon: float
    theta: np.ndarray  # the best that was found
    distance: float  # |Psi_eps(theta) - matrix|, the Frobenius norm

    @property
    def found(self):
        """Whether the matrix was reached."""
        return self.distance < FOUND


def draw(random, size, epsilon, paired=False):
    """Draw a matrix with eigenvalues apart and away from the bar; if `paired`, two real ones are equal and below it."""
    bar = lowest_value(epsilon)
    for _ in range(TRIES):
        matrix = random.standard_normal((size, size))
        if paired:
            low, vectors = bar - MARGIN - random.uniform(0, 1), matrix
            values = np.array([low, *random.standard_normal(size - 2)])  # the pair counts once
            matrix = np.linalg.solve(vectors.T, (vectors * [low, *values]).T).T
        else:
            values, vectors = np.linalg.eig(matrix)
        apart = np.abs(values[:, None] - values) + np.diag(np.full(len(values), np.inf))
        to_bar = np.abs(values[np.abs(values.imag) == 0] - bar)
        if apart.min() > 2 * MARGIN and to_bar.min(initial=np.inf) > MARGIN and np.linalg.cond(vectors) < CONDITION:
            return matrix
    raise ValueError(f"size must be so small that random matrices have eigenvalues apart, got {size}")


def draw_all(count, sizes=(2, 3)):
    """`count` pairs of a matrix and its eps: all eps in turn, then all sizes, each PAIRED_EVERY-th with a pair."""
    random = np.random.default_rng(0)
    chosen = [(EPSILONS[k % len(EPSILONS)], sizes[k // len(EPSILONS) % len(sizes)]) for k in range(count)]
    return [
        (draw(random, size, epsilon, paired=k % PAIRED_EVERY == 0), epsilon) for k, (epsilon, size) in enumerate(chosen)
    ]


def search(matrices, epsilons, starts=20, iterations=50, progress=False):
    """An `Attempt` for each of `matrices` (count, n, n) and its eps, from starts of deviation 1 to 1 + 10 eps."""
    random = np.random.default_rng(0)
    shape = (len(matrices), starts, *matrices.shape[1:])
    targets, epsilon = matrices[:, None], np.asarray(epsilons)[:, None, None, None]
    theta = (1 + 10 * epsilon * random.random((*shape[:2], 1, 1))) * random.standard_normal(shape)
    residual = _residuals(theta, targets, epsilon)
    damping = np.full(shape[:2], 1e-2)
    for _ in tqdm(range(iterations), f"{shape[2]}x{shape[2]} matrices", disable=not progress):
        active = np.flatnonzero(_norms(residual).min(axis=1) > ROUNDING)
        if not active.size:
            break
        before, old = theta[active], residual[active]
        after = before - _steps(before, old, epsilon[active], damping[active])
        new = _residuals(after, targets[active], epsilon[active])
        better = _norms(new) < _norms(old)
        theta[active] = np.where(better[..., None, None], after, before)
        residual[active] = np.where(better[..., None, None], new, old)
        damping[active] = np.maximum(damping[active] * np.where(better, 1 / 5, 4), 1e-12)
    distances = _norms(residual)
    nearest = distances.argmin(axis=1)
    return [
        Attempt(matrices[k], float(epsilons[k]), theta[k, best], float(distances[k, best]))
        for k, best in enumerate(nearest)
    ]


def search_all(pairs, starts=20, iterations=50, progress=False):
    """An `Attempt` for each of several pairs of a matrix, of any size, and its eps; in the order of sizes."""
    found = []
    for size in sorted({len(matrix) for matrix, _ in pairs}):
        matrices, epsilons = zip(*(pair for pair in pairs if len(pair[0]) == size), strict=True)
        found += search(np.stack(matrices), np.array(epsilons), starts, iterations, progress=progress)
    return found


def _residuals(theta, targets, epsilon):
    with np.errstate(over="ignore", invalid="ignore"):  # too long a step: infinite or NaN, which is not better
        return psi_of_matrix(theta, epsilon) - targets


def _norms(residuals):
    return np.linalg.norm(residuals, axis=(-2, -1))


def _steps(theta, residual, epsilon, damping):
    """(J^T J + damping)^-1 J^T residual, with the Jacobian J of Psi_eps at theta."""
    jacobian = derivatives(theta, epsilon)
    gradient = jacobian @ residual.reshape(*residual.shape[:-2], -1, 1)
    curvature = jacobian @ jacobian.swapaxes(-1, -2) + damping[..., None, None] * np.eye(jacobian.shape[-1])
    return np.linalg.solve(curvature, gradient).reshape(theta.shape)


def derivatives(theta, epsilon):
    """The derivatives of the entries of Psi_eps, (..., n n, n n), with one row per entry of theta (..., n, n)."""
    n = theta.shape[-1]
    directions = np.eye(n * n).reshape(n * n, n, n)
    moved = psi_of_matrix(theta[..., None, :, :] + 1j * COMPLEX_STEP * directions, np.asarray(epsilon)[..., None])
    return (moved.imag / COMPLEX_STEP).reshape(*theta.shape[:-2], n * n, n * n)
