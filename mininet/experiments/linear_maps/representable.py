"""Which matrices a deep linear momentum network can be: the theorem of the paper's section 4, and what it promises.

In the limit of thin layers x(1) = D x(0) with D = Psi_eps(theta), see `linear_flow`.  Complex eigenvalues of a real
theta come in conjugate pairs, so a real eigenvalue of D comes from a real one, or, with an equal one, from a pair.
Over real numbers, Psi_eps has the range [lambda_eps, infinity).  Hence D is Psi_eps of a real matrix iff every Jordan
block of a real eigenvalue below the bar lambda_eps occurs an even number of times.  On the bar, an eigenvalue is
reached, a lone larger block is not; rounding errors hide the difference, and here it counts as above.

For a residual network, D = exp(theta), the bar is 0, and D must be invertible (Culver, "On the existence and uniqueness
of the real logarithm of a matrix", Proc. AMS 1966).
"""

import numpy as np

from .linear_flow import lowest_value, preimage, square

TOLERANCE = 1e-5
"""What is nearer, relative to the norm of the matrix, counts as equal.  A double eigenvalue of a Jordan block is
computed with an error of about 1e-8, the square root of the precision, a triple one with 5e-6."""


def spectrum(matrix):
    """Eigenvalues of a real matrix, near ones together, with multiplicities; of conjugate ones, the upper one."""
    matrix = _real_matrix(matrix)
    nearness = TOLERANCE * np.linalg.norm(matrix, 2)
    groups = []
    for value in np.sort_complex(np.linalg.eigvals(matrix)):
        value = complex(value.real) if abs(value.imag) <= nearness else value
        if value.imag < 0:
            continue
        for group in groups:
            if abs(value - np.mean(group)) <= nearness:
                group.append(value)
                break
        else:
            groups.append([value])
    return [(complex(np.mean(group)), len(group)) for group in groups]


def jordan_blocks(matrix, eigenvalue, multiplicity):
    """Count the Jordan blocks of a real eigenvalue, by their size."""
    shifted = matrix - eigenvalue * np.eye(len(matrix))
    norm = np.linalg.norm(matrix, 2)
    powers = [np.linalg.matrix_power(shifted, k) for k in range(multiplicity + 2)]
    ranks = [np.linalg.matrix_rank(power, tol=TOLERANCE * norm**k) for k, power in enumerate(powers)]
    at_least = -np.diff(ranks)  # blocks of size k or more: the fall in rank from the power k - 1 to k
    counts = {size: int(at_least[size - 1] - at_least[size]) for size in range(1, multiplicity + 1)}
    return {size: count for size, count in counts.items() if count}


def unpaired(matrix):
    """The real eigenvalues that have a Jordan block which occurs an odd number of times, in increasing order."""
    matrix = _real_matrix(matrix)
    return [
        eigenvalue.real
        for eigenvalue, multiplicity in spectrum(matrix)
        if eigenvalue.imag == 0
        and any(count % 2 for count in jordan_blocks(matrix, eigenvalue.real, multiplicity).values())
    ]


def is_representable(matrix, epsilon):
    """Whether a real matrix is Psi_eps of a real matrix."""
    matrix = _real_matrix(matrix)
    bar = lowest_value(epsilon) - TOLERANCE * np.linalg.norm(matrix, 2)
    return all(eigenvalue >= bar for eigenvalue in unpaired(matrix))


def is_exponential(matrix):
    """Whether a real matrix is exp of a real matrix."""
    matrix = _real_matrix(matrix)
    nearness = TOLERANCE * np.linalg.norm(matrix, 2)
    is_singular = any(abs(eigenvalue) <= nearness for eigenvalue, _ in spectrum(matrix))
    return not is_singular and all(eigenvalue > 0 for eigenvalue in unpaired(matrix))


def needed_factor(matrix, epsilon):
    """The least factor, at least 1, by which a real matrix must be divided to be representable."""
    matrix = _real_matrix(matrix)
    return max([1.0, *(eigenvalue / lowest_value(epsilon) for eigenvalue in unpaired(matrix))])


def construct(matrix, epsilon):
    """A real theta with Psi_eps(theta) = matrix, which must be real, diagonalisable and representable.

    With D = V diag(d) V^-1 it is theta = V diag(m) V^-1, where Psi_eps(m) = d.  It is real if conjugate columns of V go
    with conjugate m.  An eigenvalue below the bar has a complex m.  We replace the columns v and w of two of them by
    v + i w and v - i w, which go with m and its conjugate.
    """
    matrix = _real_matrix(matrix)
    if not is_representable(matrix, epsilon):
        raise ValueError(
            f"matrix must be representable at epsilon {epsilon}, its eigenvalues {unpaired(matrix)} are not"
        )
    bar = lowest_value(epsilon)
    values, columns = [], []
    for eigenvalue, multiplicity in spectrum(matrix):
        basis = _eigenvectors(matrix, eigenvalue, multiplicity)
        if eigenvalue.imag == 0 and eigenvalue.real >= bar - TOLERANCE * np.linalg.norm(matrix, 2):
            values += multiplicity * [preimage(max(eigenvalue.real, bar), epsilon)]
            columns += list(basis)
            continue
        root = preimage(eigenvalue, epsilon)
        halves = list(basis) if eigenvalue.imag else basis[::2] + 1j * basis[1::2]
        for column in halves:
            values += [root, root.conjugate()]
            columns += [column, column.conj()]
    basis = np.stack(columns, axis=1)
    return np.linalg.solve(basis.T, (basis * values).T).T.real


def _eigenvectors(matrix, eigenvalue, multiplicity):
    """Orthonormal eigenvectors, (multiplicity, n); real for a real eigenvalue."""
    shifted = matrix - (eigenvalue if eigenvalue.imag else eigenvalue.real) * np.eye(len(matrix))
    _, sizes, vectors = np.linalg.svd(shifted)
    if sizes[-multiplicity] > TOLERANCE * np.linalg.norm(matrix, 2):
        raise ValueError(f"matrix must be diagonalisable, at {eigenvalue:.4g} it has too few eigenvectors")
    return vectors[-multiplicity:].conj()


def _real_matrix(matrix):
    matrix = square("matrix", matrix)
    if matrix.ndim != 2 or matrix.dtype.kind == "c" or not np.isfinite(matrix).all():
        raise ValueError("matrix must be one matrix (n, n) of finite real numbers")
    return matrix
