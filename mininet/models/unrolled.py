"""Sparse coding with an unrolled algorithm: the layers of a network are steps of ISTA with learned matrices.

For a dictionary D and a vector y, sparse coding looks for the z that minimises the lasso

    F(z) = 1/2 |y - D z|^2 + lambda |z|_1

ISTA (Daubechies, Defrise, De Mol, 2004) does so step by step: z <- ST(z - eta D^T (D z - y), eta lambda), where ST is
the soft threshold and eta is at most 1 / |D|^2.  Learned ISTA (Gregor and LeCun, *Learning Fast Approximations of
Sparse Coding*, ICML 2010) makes each step a layer with parameters of its own: here a matrix W_n in place of eta D, and
the step size eta_n (the coupled weights of Chen, Liu, Wang, Yin, NeurIPS 2018).

    z_{n+1} = ST(z_n - W_n^T (D z_n - y), eta_n lambda) = z_n + f_n(z_n, y)

So a step is a layer of a residual network.  As long as W_n = eta_n D, its function f_n vanishes at the solution.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from .. import nn
from ..autodiff import Tensor
from ..autodiff import functional as F
from ..base.checks import array, instance, integer, number, one_of, shown
from ..base.types import AnyArray, FloatArray
from ..reversible import MomentumNet, ResidualNet, RevNet


def soft_threshold(u: Tensor, threshold: Tensor | float) -> Tensor:
    """Move u towards 0 by the threshold t, elementwise; where |u| is at most t, the result is 0."""
    return F.relu(u - threshold) - F.relu(-u - threshold)


class IstaFunction(nn.Module):
    """f(z, y) = ST(z - W^T (D z - y), eta lambda) - z, with the parameters `weight`, W, and `step`, eta.

    `dictionary` is D (measurements, atoms), which is not trained, and `penalty` is lambda.  The parameters `weight`
    (W, like D) and `step` (eta) start as in ISTA: W = step D and eta = step, where `step` is 1 / |D|^2 by default.
    """

    dictionary: FloatArray

    def __init__(self, dictionary: ArrayLike, penalty: float, step: float | None = None) -> None:
        super().__init__()
        matrix = _matrix(dictionary)
        first = 1 / np.linalg.norm(matrix, 2) ** 2 if step is None else number("step", step, above=0)
        self.penalty = number("penalty", penalty, 0)
        self.register_buffer("dictionary", np.array(matrix, np.float32))
        self.weight = nn.Parameter((first * matrix).astype(np.float32))
        self.step = nn.Parameter(np.array(first, np.float32))

    def forward(self, z: Tensor, y: Tensor | FloatArray) -> Tensor:
        """Compute f(z, y) (n, atoms) of z (n, atoms) and y (n, measurements)."""
        residual = F.linear(z, Tensor(self.dictionary.T)) - y
        return soft_threshold(z - F.linear(residual, self.weight), self.penalty * self.step) - z


class UnrolledIsta(nn.Module):
    """A network of ISTA steps from z_0 = 0, called with y (n, measurements) for z (n, atoms).

    Parameters
    ----------
    kind : {"resnet", "momentum", "revnet"}
        A RevNet has two streams, both starting at 0.  A layer moves each of them with its own function, so it has twice
        as many parameters; the result is the stream moved last.  Its arithmetic is float and its activations are
        stored, as its streams may grow without bounds.
    dictionary, penalty, step
        As for `IstaFunction`.
    depth : int
        The number of layers.
    gamma : float
        The momentum of the momentum network.
    """

    net: ResidualNet | MomentumNet | RevNet

    def __init__(
        self, kind: Literal["resnet", "momentum", "revnet"], dictionary: ArrayLike, penalty: float, depth: int,
        gamma: float = 0.5, step: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        one_of("kind", kind, ("resnet", "momentum", "revnet"))
        depth = integer("depth", depth, 0)
        self.atoms = _matrix(dictionary).shape[1]
        self.streams = 2 if kind == "revnet" else 1
        functions = [IstaFunction(dictionary, penalty, step) for _ in range(self.streams * depth)]
        if kind == "resnet":
            self.net = ResidualNet(functions)
        elif kind == "momentum":
            self.net = MomentumNet(functions, gamma)
        else:
            self.net = RevNet(functions, arithmetic="float", backprop="stored")

    def forward(self, y: Tensor | FloatArray) -> Tensor:
        """Compute the code z of each y."""
        return self.net(self._start(y), y)[:, -self.atoms :]

    def trajectory(self, y: Tensor | FloatArray) -> FloatArray:
        """Compute z_0, ..., z_depth as an ndarray (depth + 1, n, atoms)."""
        return self.net.trajectory(self._start(y), y)[:: self.streams, :, -self.atoms :]

    def _start(self, y: Tensor | FloatArray) -> FloatArray:
        instance("y", y, Tensor, np.ndarray)
        if y.ndim != 2:
            raise ValueError(f"y must have 2 axes (n, measurements), got shape {y.shape}")
        return np.zeros((len(y), self.streams * self.atoms), y.dtype)


def _matrix(dictionary: ArrayLike) -> AnyArray:
    matrix = array("dictionary", dictionary)
    if matrix.ndim != 2 or 0 in matrix.shape or matrix.dtype.kind not in "iuf":
        raise ValueError(f"dictionary must be an array (measurements, atoms) of numbers, got {shown(matrix)}")
    if not np.isfinite(matrix).all() or not matrix.any():
        raise ValueError("dictionary must be finite and not all 0")
    return matrix
