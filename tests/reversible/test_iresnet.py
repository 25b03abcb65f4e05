"""IResNet's own: how many iterations the inverse takes, how near it comes, and when it fails."""

import numpy as np
import pytest
from reversible_support import batch, network

from mininet import IResNet, Tensor, manual_seed, nn
from mininet import functional as F
from mininet.reversible import limit_lipschitz

X = batch(50, 4, dtype=np.float64)


def linear(slope):
    """x -> slope x, whose iteration contracts by just that."""
    return lambda x: slope * x


@pytest.mark.parametrize("slope", [0.5, -0.5, 0.9])
@pytest.mark.parametrize("tolerance", [1e-3, 1e-12])
def test_the_iteration_converges_as_the_publication_says(tolerance, slope):
    """The k-th iterate moves by |slope|^k |y|, so the number needed is known; what is left is |slope|^(k+1) |x|."""
    net = IResNet([linear(slope)] * 3, tolerance=tolerance)
    state = net.run(X)
    x0 = net.invert(state)
    # |slope|^k |y| <= tolerance max(|y|, |y - f(y)|), the same for every layer; rounding may shift it by one
    needed = np.log(tolerance * max(1, 1 - slope)) / np.log(abs(slope))
    assert all(abs(count - np.ceil(needed)) <= 1 for count in state.evaluations)
    assert len(state.evaluations) == 3
    # an error of step * c / (1 - c) in each of 3 layers, each stretched by 1 / (1 - c) in the next ones
    shrink = 1 / (1 - abs(slope))
    largest = np.abs(X).max() * max(1, (1 + slope) ** 3)
    bound = 3 * (tolerance + 1e-15) * largest * shrink**3
    np.testing.assert_allclose(x0, X, rtol=0, atol=bound)
    if tolerance == 1e-3:
        assert np.abs(x0 - X).max() > 1e-8, "or it did not stop early"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_iterations_fall_with_the_lipschitz_constant(dtype):
    counts = []
    for coefficient in (0.9, 0.5, 0.1):
        net = network("IResNet", 4, dtype=dtype)
        for parameter in net.parameters():
            parameter.data *= 10
        limit_lipschitz(net, coefficient)
        state = net.run(X.astype(dtype))
        net.invert(state)
        counts.append(max(state.evaluations))
        bound = np.log(np.finfo(dtype).eps * 64) / np.log(coefficient)
        assert counts[-1] <= np.ceil(bound) + 1
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[1] > counts[2]


@pytest.mark.parametrize("slope", [1.5, -3.0, 1e100])
def test_an_expanding_function_is_an_error(slope):
    net = IResNet([linear(0.1), linear(slope), linear(0.1)], iterations=200)
    state = net.run(X)
    with pytest.raises(RuntimeError, match=r"did not converge in layer 1: .* not a contraction there"):
        net.invert(state)
    with pytest.raises(RuntimeError, match="not a contraction"):
        net.check_inversion(X)
    y = net(Tensor(X, requires_grad=True))
    with pytest.raises(RuntimeError, match="not a contraction"):
        y.sum().backward()


def bounded(x):
    """Nothing overflows, the iteration goes to and fro for ever."""
    return F.tanh(5 * x)


@pytest.mark.parametrize(
    ("function", "settings", "x", "says"),
    [
        (linear(10.0), {}, np.full_like(X, 1e307), "did not converge"),  # an overflow
        # steps are as large as y; next to an x that grows and grows, they would seem small
        (linear(1.0001), {"tolerance": 1e-3}, X, "after 500 of 500 iterations"),
        (linear(1.0), {"tolerance": 1e-3}, X, "after 500 of 500 iterations"),
        (bounded, {"iterations": 300}, 0.1 * X, "after 300 of 300 iterations"),
        # infinity less infinity is not a number: NumPy would say so before mininet does
        (lambda x: x, {}, np.array([1.0, np.nan]), "after 1 of 500 iterations x still moves by nan"),
        (lambda x: x, {}, np.array([1.0, 1e308]), "after 1 of 500 iterations x still moves by nan"),
    ],
)
def test_what_does_not_converge_is_an_error_without_a_warning(function, settings, x, says):
    net = IResNet([function], **settings)
    with np.errstate(over="ignore"):
        state = net.run(x)
    with pytest.raises(RuntimeError, match=says):
        net.invert(state)


@pytest.mark.parametrize("backprop", ["stored", "checkpointed"])
def test_an_expanding_function_can_be_trained_with_what_is_kept(backprop):
    net = IResNet([linear(3.0)] * 4, backprop=backprop)
    x = Tensor(X, requires_grad=True)
    net(x).sum().backward()
    np.testing.assert_allclose(x.grad, 4.0**4, rtol=1e-14)


def test_too_few_iterations_are_an_error():
    net = IResNet([linear(0.9)], iterations=20)
    state = net.run(X)
    with pytest.raises(RuntimeError, match="after 20 of 20 iterations x still moves by"):
        net.invert(state)
    net.iterations = 400  # the state has the settings of its run
    with pytest.raises(RuntimeError, match="of 20 iterations"):
        net.invert(state)
    np.testing.assert_allclose(net.invert(net.run(X)), X, rtol=0, atol=1e-11)


def test_one_iteration_may_be_enough():
    net = IResNet([lambda x: 0 * x + 0.5], iterations=1, tolerance=0.9)  # a scale of 1.5, and a step of 0.5
    assert np.array_equal(net.invert(net.run(np.ones(3))), np.ones(3))


@pytest.mark.parametrize("scale", [0, 2.0**-100])
def test_small_numbers_come_back_as_others_do(scale):
    net = IResNet([linear(0.5)] * 3)
    assert np.array_equal(net.invert(net.run(scale * X)), scale * net.invert(net.run(X)))


def winograd_net(**settings):
    manual_seed(1)
    channels = 32
    functions = [
        nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(),
                      nn.Conv2d(channels, channels, 3, padding=1)) for _ in range(3)
    ]  # fmt: skip
    net = IResNet(functions, iterations=30, **settings)
    limit_lipschitz(net, 0.95, size=(16, 16))
    return net


def test_winograds_rounding_errors_do_not_keep_the_iteration_going():
    """Deterministic, but not smooth: in float32 two neighbouring x differ by many epsilons in f."""
    net, x = winograd_net(), batch(4, 16, 16, 32, seed=0)
    state = net.run(x)
    np.testing.assert_allclose(net.invert(state), x, rtol=0, atol=1e-4)
    assert max(state.evaluations) < 20
    impatient = winograd_net(tolerance=float(np.finfo(np.float32).eps))
    state = impatient.run(x)
    with pytest.raises(RuntimeError, match="did not converge"):
        impatient.invert(state)


def test_copies_count_their_own_iterations():
    net = IResNet([linear(0.5)] * 3)
    state = net.run(X)
    net.invert(state.copy())
    assert state.evaluations == []


@pytest.mark.parametrize(("epsilons", "times"), [(63.5, 1), (64.5, 2)])
def test_the_default_tolerance_is_64_epsilons(epsilons, times):
    net = IResNet([linear(epsilons * np.finfo(np.float64).eps)])
    state = net.run(np.ones(1))
    net.invert(state)
    assert state.evaluations == [times]
