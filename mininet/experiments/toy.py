"""What the experiments in one and two dimensions share: tied networks, their training, how a layer stretches space.

The paper's toy networks (figures 1 and 5) apply one residual function, 16 tanh units wide, at each of 15 layers.  With
gamma = 0.99 the momentum network follows a second-order ODE, eps x'' + x' = f(x); the ResNet, as long as its steps are
small, the first-order one, x' = f(x), whose solutions never meet.
"""

import numpy as np
from tqdm import tqdm

from .. import optim, seeding
from ..nn import Linear, Sequential, Tanh
from ..reversible import MomentumNet, ResidualNet

DEPTH, HIDDEN, GAMMA = 15, 16, 0.99
"""The paper's, in both experiments."""

_LARGEST_GRADIENT = 1.0


def network(features, gamma=GAMMA):
    """A network that applies one function, Linear - Tanh - Linear, at every layer.

    A constant f moves a point by DEPTH f in the ResNet, but by sum over n of (1 - gamma^n) f, 1.15 f, in a momentum
    network with gamma = 0.99.  The ResNet's function starts DEPTH times smaller, so that both begin with flows of about
    the same length: otherwise it is the worse trained one, or diverges.

    Parameters
    ----------
    features : int
        Of x.
    gamma : float
        0 for the ResNet.  A momentum network is run in exact arithmetic and trained without stored activations; its
        gradients have the same bits as with them.
    """
    function = Sequential(Linear(features, HIDDEN), Tanh(), Linear(HIDDEN, features))
    if gamma:
        return MomentumNet([function] * DEPTH, gamma)
    for parameter in function[2].parameters():
        parameter.data /= DEPTH
    return ResidualNet([function] * DEPTH)


def train(model, loss_of_fresh_points, learning_rate, steps, seed, progress=None):
    """Train by Adam, its learning rate falling along half a cosine to 0, gradients clipped to norm 1.

    Parameters
    ----------
    model : Module
    loss_of_fresh_points : callable(model, Generator) -> Tensor
        Draws points, and returns the loss on them.
    learning_rate : float
        At the beginning.
    steps, seed : int
        The seed is that of the points.
    progress : str, optional
        What to call the progress bar; none is shown without.

    Returns
    -------
    list of float
        The loss at every step.
    """
    random = np.random.default_rng(seed)
    optimizer = optim.Adam(model.parameters(), learning_rate)
    schedule = optim.CosineDecay(optimizer, steps)
    losses = []
    for _ in tqdm(range(steps), desc=progress, disable=progress is None, leave=False):
        optimizer.zero_grad()
        loss = loss_of_fresh_points(model, random)
        loss.backward()
        clip_gradients(optimizer.parameters, _LARGEST_GRADIENT)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.data))
    return losses


def clip_gradients(parameters, largest):
    """Scale all gradients by one factor so that their norm, taken together, is at most `largest`."""
    gradients = [parameter.grad for parameter in parameters]
    norm = np.sqrt(sum(float(np.vdot(gradient, gradient)) for gradient in gradients))
    if norm > largest:
        for gradient in gradients:
            gradient *= largest / norm


def drawn_from(seed, make):
    """`make()` with initial weights drawn from `seed`; the stream of random numbers stays where it is."""
    with seeding.rewound((seed, 0)):
        return make()


def layer_jacobians(function, x):
    """How a layer x + f(x) of a ResNet stretches space: its Jacobian matrix at each point.

    A layer keeps order in one dimension, and does not fold in more, where the determinant is positive.

    Parameters
    ----------
    function : Sequential
        Linear - Tanh - Linear.
    x : ndarray (..., d)

    Returns
    -------
    ndarray (..., d, d)
        I + df/dx; [..., i, j] is the derivative of coordinate j by coordinate i.
    """
    first, _, second = function
    slopes = 1 - np.tanh(x @ first.weight.data + first.bias.data) ** 2
    return np.eye(x.shape[-1]) + (slopes[..., None, :] * first.weight.data) @ second.weight.data
