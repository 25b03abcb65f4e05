"""What the experiments in one and two dimensions share: tied networks, their training, how a layer stretches space.

The paper's toy networks (figures 1 and 5) apply one residual function, 16 tanh units wide, at each of 15 layers.  With
gamma = 0.99 the momentum network follows a second-order ODE, eps x'' + x' = f(x); the ResNet, as long as its steps are
small, the first-order one, x' = f(x), whose solutions never meet.
"""

import numpy as np
from tqdm import tqdm

from ... import optim, seeding
from ...nn import Linear, Sequential, Tanh
from ...reversible import MomentumNet, ResidualNet

DEPTH, HIDDEN, GAMMA = 15, 16, 0.99
"""The paper's, in both experiments."""

_LARGEST_GRADIENT = 1.0


def network(features, gamma=GAMMA):
    """A network on `features` numbers that applies one function, Linear - Tanh - Linear, at every layer.

    With gamma = 0 it is the ResNet, otherwise an exact, memory-free momentum network, where a constant f moves points
    by 1.15 f instead of DEPTH f.  So the ResNet's function starts DEPTH times smaller: both flows are about as long.
    """
    function = Sequential(Linear(features, HIDDEN), Tanh(), Linear(HIDDEN, features))
    if gamma:
        return MomentumNet([function] * DEPTH, gamma)
    for parameter in function[2].parameters():
        parameter.data /= DEPTH
    return ResidualNet([function] * DEPTH)


def train(model, loss_of_fresh_points, learning_rate, steps, seed, progress=None):
    """Train by Adam on `loss_of_fresh_points(model, random)`, its rate falling along a cosine, gradients clipped."""
    random = np.random.default_rng(seed)
    optimizer = optim.Adam(model.parameters(), learning_rate)
    schedule = optim.CosineDecay(optimizer, steps)
    for _ in tqdm(range(steps), desc=progress, disable=progress is None, leave=False):
        optimizer.zero_grad()
        loss_of_fresh_points(model, random).backward()
        clip_gradients(optimizer.parameters, _LARGEST_GRADIENT)
        optimizer.step()
        schedule.step()


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
    """How a layer x + f(x) of a ResNet stretches space: I + df/dx (..., d, d) at each point of x (..., d).

    A layer keeps order in one dimension, and does not fold in more, where the determinant is positive.
    """
    first, _, second = function
    slopes = 1 - np.tanh(x @ first.weight.data + first.bias.data) ** 2
    return np.eye(x.shape[-1]) + (slopes[..., None, :] * first.weight.data) @ second.weight.data
