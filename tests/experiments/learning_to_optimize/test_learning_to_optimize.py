"""Learning to optimise: training and measuring on a tiny task, and verdicts that can fail."""

import dataclasses

import numpy as np
import pytest

from mininet import Tensor, no_grad
from mininet.experiments.learning_to_optimize import learning_to_optimize as experiment
from mininet.experiments.learning_to_optimize.learning_to_optimize import CAREFUL, KINDS, Losses, Settings, make_network

TINY = Settings(
    measurements=4, atoms=6, depths=(1, 3), seeds=2, steps=15, batch_size=16, learning_rate=0.02, test_samples=50
)


@pytest.fixture(scope="module")
def losses():
    return experiment.losses_by_depth(TINY)


def mean_loss(net, task, y):
    with no_grad():
        return task.loss(net(Tensor(y.astype(np.float32))).data.astype(np.float64), y).mean()


def test_losses_are_those_of_networks_trained_one_by_one(losses):
    random = np.random.default_rng(1)
    task = TINY.task(random)
    y = task.samples(50, random)
    for name in KINDS:
        net = make_network(name, task, 3, TINY.gamma)
        before = mean_loss(net, task, y)
        rate = 0.005 if name == CAREFUL else 0.02
        experiment.train(net, task, TINY, np.random.default_rng((1, 3)), rate)
        assert losses.by_network[name][1, 1] == mean_loss(net, task, y)
        assert losses.by_network[name][1, 1] < before


def test_no_loss_is_below_the_optimum(losses):
    assert losses.gap < 1e-6
    for name, excess in losses.excess.items():
        assert excess.shape == (2, 2)
        assert (excess > 0).all(), name
        np.testing.assert_allclose(excess + losses.optimum[:, None], losses.by_network[name])


def test_the_steps_of_a_careful_revnet_add_up_to_one():
    task = TINY.task(np.random.default_rng(0))
    functions = make_network(CAREFUL, task, 3, 0.5).net.functions
    assert sum(float(function.step.data) for function in functions) == pytest.approx(task.step, rel=1e-6)
    assert len(functions) == 6


def made_up():
    """At the greatest depth the losses are 1.01, 1.0105, and for RevNets 1.2; the optimum is 1."""
    return Losses(
        (1, 4),
        {
            "ResNet": np.array([[1.5, 1.01], [1.5, 1.01]]),
            "Momentum ResNet": np.array([[1.6, 1.011], [1.5, 1.01]]),
            "RevNet": np.array([[1.4, np.inf], [1.4, 1.2]]),
            CAREFUL: np.array([[1.4, 1.2], [1.4, 1.2]]),
        },
        np.array([1.0, 1.0]),
        1e-8,
    )


def verdicts(losses, **changed):
    changed = {name.replace("_", " "): np.array(values) for name, values in changed.items()}
    by_network = losses.by_network | changed
    return [claim.holds for claim in experiment.training_claims(dataclasses.replace(losses, by_network=by_network))]


def test_verdicts():
    losses = made_up()
    assert verdicts(losses) == [True] * 4
    assert verdicts(losses, Momentum_ResNet=[[1.005, 1.006], [1.6, 1.01]]) == [False, True, True, True]
    assert verdicts(losses, Momentum_ResNet=[[1.6, 1.02], [1.6, 1.01]]) == [True, True, False, True]
    assert verdicts(losses, Momentum_ResNet=[[1.6, 1.3], [1.6, 1.3]]) == [True, False, False, True]
    assert verdicts(losses, Momentum_ResNet=[[1.6, np.nan], [1.6, 1.01]]) == [False, False, False, True]
    assert verdicts(losses, RevNet=[[1.4, np.nan], [1.4, 1.2]]) == [True] * 4
    assert verdicts(losses, careful_RevNet=[[1.4, 1.01], [1.4, 1.01]]) == [True, True, True, False]


def test_table():
    lines = experiment.table(made_up()).splitlines()
    assert lines[0] == "test loss (optimum 1.00000, known to within 1e-08)"
    assert lines[3].split() == ["4", "1.01", "1.0105", "inf", "1.2"]
    assert lines[7].split()[:7] == ["4", "0.01", "(0.01,", "0.01)", "0.0105", "(0.01,", "0.011)"]
