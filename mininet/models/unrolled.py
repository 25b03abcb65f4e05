"""Sparse coding by an unrolled algorithm: the layers of a network are steps of ISTA, whose matrices are learned.

For a dictionary D and a vector y, sparse coding looks for the z that minimises the lasso

    F(z) = 1/2 |y - D z|^2 + lambda |z|_1

ISTA (Daubechies, Defrise, De Mol, 2004) does so step by step: z <- ST(z - eta D^T (D z - y), eta lambda), where ST is
the soft threshold and eta is at most 1 / |D|^2.  Learned ISTA (Gregor and LeCun, *Learning Fast Approximations of
Sparse Coding*, ICML 2010) makes each step a layer with parameters of its own: here a matrix W_n in place of eta D, and
the step size eta_n (the coupled weights of Chen, Liu, Wang, Yin, NeurIPS 2018).

    z_{n+1} = ST(z_n - W_n^T (D z_n - y), eta_n lambda) = z_n + f_n(z_n, y)

So a step is a layer of a residual network, and as long as W_n = eta_n D its function f_n vanishes at the solution.
"""

import numpy as np

from .. import nn
from ..autodiff import Tensor
from ..autodiff import functional as F
from ..checks import array, instance, integer, number, one_of, shown
from ..reversible import MomentumNet, ResidualNet, RevNet


def soft_threshold(u, threshold):
    """ST(u, t): u moved towards 0 by t, elementwise; 0 where |u| is at most t."""
    return F.relu(u - threshold) - F.relu(-u - threshold)


class IstaFunction(nn.Module):
    """f(z, y) = ST(z - W^T (D z - y), eta lambda) - z.

    Parameters
    ----------
    dictionary : ndarray (measurements, atoms)
        D, which is not trained.
    penalty : float
        lambda.
    step : float, optional
        That of ISTA, with which training starts: W = step D and eta = step.  1 / |D|^2 unless given.

    Attributes
    ----------
    weight : Parameter (measurements, atoms)
        W.
    step : Parameter ()
        eta.
    """

    def __init__(self, dictionary, penalty, step=None):
        super().__init__()
        dictionary = _matrix(dictionary)
        step = 1 / np.linalg.norm(dictionary, 2) ** 2 if step is None else number("step", step, above=0)
        self.penalty = number("penalty", penalty, 0)
        self.register_buffer("dictionary", np.array(dictionary, np.float32))
        self.weight = nn.Parameter((step * dictionary).astype(np.float32))
        self.step = nn.Parameter(np.array(step, np.float32))

    def forward(self, z, y):
        """From z (n, atoms) and y (n, measurements) to (n, atoms)."""
        residual = F.linear(z, Tensor(self.dictionary.T)) - y
        return soft_threshold(z - F.linear(residual, self.weight), self.penalty * self.step) - z


class UnrolledIsta(nn.Module):
    """A network of ISTA steps from z_0 = 0, called with y (n, measurements) for z (n, atoms).

    Parameters
    ----------
    kind : {"resnet", "momentum", "revnet"}
        A RevNet has two streams, both from 0.  A layer moves each of them, with a function of its own, so it has twice
        as many parameters; the result is the stream that was moved last.
    dictionary, penalty, step
        As for `IstaFunction`.
    depth : int
        Layers.
    gamma : float
        Of the momentum network.

    Attributes
    ----------
    net : ResidualNet, MomentumNet or RevNet
        A RevNet's arithmetic is float and its activations are stored: its streams may grow beyond all bounds.
    """

    def __init__(self, kind, dictionary, penalty, depth, gamma=0.5, step=None):
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

    def forward(self, y):
        """The code z of each y."""
        return self.net(self._start(y), y)[:, -self.atoms :]

    def trajectory(self, y):
        """z_0, ..., z_depth as an ndarray (depth + 1, n, atoms)."""
        return self.net.trajectory(self._start(y), y)[:: self.streams, :, -self.atoms :]

    def _start(self, y):
        if instance("y", y, Tensor, np.ndarray).ndim != 2:
            raise ValueError(f"y must have 2 axes (n, measurements), got shape {y.shape}")
        return np.zeros((len(y), self.streams * self.atoms), y.dtype)


def _matrix(dictionary):
    dictionary = array("dictionary", dictionary)
    if dictionary.ndim != 2 or 0 in dictionary.shape or dictionary.dtype.kind not in "iuf":
        raise ValueError(f"dictionary must be an array (measurements, atoms) of numbers, got {shown(dictionary)}")
    if not np.isfinite(dictionary).all() or not dictionary.any():
        raise ValueError("dictionary must be finite and not all 0")
    return dictionary
