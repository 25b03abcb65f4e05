"""The task of `learning_to_optimize`: sparse coding, with a reference solution and a bound for how good that is."""

import dataclasses

import numpy as np

from ...base.checks import float_array, instance, integer, number, shown


@dataclasses.dataclass(frozen=True)
class SparseCoding:
    """Given y, minimise the lasso F(z) = 1/2 |y - D z|^2 + lambda |z|_1."""

    dictionary: np.ndarray  # D (measurements, atoms)
    penalty: float  # lambda

    def __post_init__(self):
        float_array("dictionary", self.dictionary)
        if self.dictionary.ndim != 2 or 0 in self.dictionary.shape:
            raise ValueError(f"dictionary must be an array (measurements, atoms), got {shown(self.dictionary)}")
        number("penalty", self.penalty, 0)

    @classmethod
    def random(cls, measurements, atoms, penalty, random):
        """A task with normal D, whose columns are scaled to length 1."""
        measurements, atoms = integer("measurements", measurements, 1), integer("atoms", atoms, 1)
        instance("random", random, np.random.Generator)
        dictionary = random.standard_normal((measurements, atoms))
        return cls(dictionary / np.linalg.norm(dictionary, axis=0), penalty)

    def _require_rows(self, z, y):
        measurements, atoms = self.dictionary.shape
        shapes = np.shape(z), np.shape(y)
        if shapes != ((len(z), atoms), (len(z), measurements)):
            raise ValueError(f"z and y must be (n, {atoms}) and (n, {measurements}), got {shapes[0]} and {shapes[1]}")

    @property
    def step(self):
        """1 / |D|^2, the step size of ISTA."""
        return 1 / np.linalg.norm(self.dictionary, 2) ** 2

    def samples(self, count, random):
        """Normal y (count, measurements), scaled so that |D^T y|_inf = 1: z = 0 is optimal only if lambda >= 1."""
        instance("random", random, np.random.Generator)
        y = random.standard_normal((integer("count", count, 0), len(self.dictionary)))
        return y / np.abs(y @ self.dictionary).max(axis=1, keepdims=True)

    def loss(self, z, y):
        """F(z) for each row of z (n, atoms) and y (n, measurements)."""
        self._require_rows(z, y)
        return 0.5 * np.square(y - z @ self.dictionary.T).sum(axis=1) + self.penalty * np.abs(z).sum(axis=1)

    def solve(self, y, iterations=3000):
        """The minimiser z* (n, atoms) for each y, by FISTA (Beck and Teboulle, 2009)."""
        self._require_rows(np.zeros((len(y), self.dictionary.shape[1])), y)
        step = self.step
        z = ahead = np.zeros((len(y), self.dictionary.shape[1]))
        t = 1.0
        for _ in range(integer("iterations", iterations, 0)):
            u = ahead - step * (ahead @ self.dictionary.T - y) @ self.dictionary
            before, z = z, np.sign(u) * np.maximum(np.abs(u) - step * self.penalty, 0)
            before_t, t = t, (1 + np.sqrt(1 + 4 * t**2)) / 2
            ahead = z + (before_t - 1) / t * (z - before)
        return z

    def duality_gap(self, z, y):
        """Bound how far F(z) lies above the optimum, for each row.

        The optimum is at least (|y|^2 - |y - u|^2) / 2 for any u with |D^T u|_inf <= lambda, the dual problem.  Near
        the solution, y - D z, scaled down until this holds, is a good u.
        """
        self._require_rows(z, y)
        residual = y - z @ self.dictionary.T
        u = residual * np.minimum(1, self.penalty / np.abs(residual @ self.dictionary).max(axis=1, keepdims=True))
        bound = 0.5 * (np.square(y).sum(axis=1) - np.square(y - u).sum(axis=1))
        return self.loss(z, y) - bound
