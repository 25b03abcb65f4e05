"""Fits of constant + constant * N^exponent, for what grows with depth."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class PowerLaw:
    """value = offset + scale N^exponent."""

    offset: float
    scale: float
    exponent: float
    residual: float  # root mean square of (fitted - measured) / measured

    def at(self, depths):
        """The values for an array of depths."""
        return self.offset + self.scale * depths**self.exponent


def fit(depths, values):
    """The `PowerLaw` with the smallest residual: least squares for each of the exponents 0.001, 0.002, ..., 2.

    Give it at least four positive numbers, for a residual that means something.
    """
    depths, values = np.asarray(depths, float), np.asarray(values, float)
    laws = []
    for exponent in np.arange(1, 2001) / 1000:
        columns = np.stack([np.ones_like(depths), depths**exponent], axis=1) / values[:, None]
        factors = np.linalg.lstsq(columns, np.ones_like(depths))[0]
        residual = np.sqrt(np.mean((columns @ factors - 1) ** 2))
        laws.append(PowerLaw(*map(float, factors), float(exponent), float(residual)))
    return min(laws, key=lambda law: law.residual)
