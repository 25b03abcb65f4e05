"""Optimisers against the published update rules, written out for single numbers; schedules; saved state."""

import numpy as np
import pytest

from mininet import optim
from mininet.nn import Parameter

GRADIENTS = [0.5, -1.25, 2.0, 0.125, -0.75]


def _run(make):
    array = np.ones(1)
    parameter, values = Parameter(array), []
    optimizer = make([parameter])
    for gradient in GRADIENTS:
        parameter.grad = np.array([gradient])
        optimizer.step()
        values.append(float(parameter.data[0]))
    assert parameter.data is array, "the update is in place"
    return values


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_sgd_follows_its_rule(momentum, nesterov, decay):
    value, velocity, expected = 1.0, 0.0, []
    for gradient in GRADIENTS:
        gradient += decay * value
        velocity = momentum * velocity + gradient
        value -= 0.1 * (gradient + momentum * velocity if nesterov else velocity)
        expected.append(value)
    found = _run(lambda parameters: optim.SGD(parameters, 0.1, momentum, nesterov, decay))
    np.testing.assert_allclose(found, expected, rtol=1e-14)  # a handful of roundings of eps = 2.2e-16 each


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam_follows_its_rule(decay):
    value, mean, square, expected = 1.0, 0.0, 0.0, []
    for t, gradient in enumerate(GRADIENTS, 1):
        gradient += decay * value
        mean = 0.8 * mean + 0.2 * gradient
        square = 0.95 * square + 0.05 * gradient**2
        value -= 0.1 * (mean / (1 - 0.8**t)) / (np.sqrt(square / (1 - 0.95**t)) + 1e-8)
        expected.append(value)
    found = _run(lambda parameters: optim.Adam(parameters, 0.1, (0.8, 0.95), weight_decay=decay))
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_adamw_is_adam_after_a_decay_of_its_own():
    parameter, other = Parameter(np.ones(1)), Parameter(np.ones(1))
    optimizers = optim.AdamW([parameter], 0.1, weight_decay=0.5), optim.Adam([other], 0.1)
    for gradient in GRADIENTS:
        other.data *= 1 - 0.1 * 0.5
        for optimizer in optimizers:
            optimizer.parameters[0].grad = np.array([gradient])
            optimizer.step()
    assert parameter.data == other.data


def test_adam_does_not_care_how_arrays_lie_in_memory():
    plain, turned = Parameter(np.ones((2, 3))), Parameter(np.ones((3, 2)).T)
    for optimizer in optim.Adam([plain]), optim.Adam([turned]):
        for gradient in GRADIENTS:
            optimizer.parameters[0].grad = gradient * np.arange(6.0).reshape(2, 3)
            optimizer.step()
    assert np.array_equal(plain.data, turned.data)
    assert (turned.data[:, 1:] != 1).all()


def test_groups_have_settings_of_their_own():
    """Two groups are two optimisers, also under a schedule and after a state was taken over."""

    def run(build):
        pair = [Parameter(np.ones(2)), Parameter(np.ones(1))]
        parts = build(pair)
        for gradient in GRADIENTS:
            for parameter in pair:
                parameter.grad = np.full(parameter.shape, gradient)
            for part in parts:
                part.step()
            states = [part.state_dict() for part in parts]
            parts = build(pair)
            for part, state in zip(parts, states, strict=True):
                part.load_state_dict(state)
        return [parameter.data.tolist() for parameter in pair]

    def together(pair):
        groups = [{"params": pair[:1], "momentum": 0.5}, {"params": iter(pair[1:]), "lr": 0.3}]
        optimizer = optim.SGD(groups, 0.1, 0.9, weight_decay=0.1)
        return [optimizer, optim.CosineDecay(optimizer, 9)]

    def apart(pair):
        one = optim.SGD(pair[:1], 0.1, 0.5, weight_decay=0.1)
        other = optim.SGD(pair[1:], 0.3, 0.9, weight_decay=0.1)
        return [one, other, *(optim.CosineDecay(each, 9) for each in (one, other))]

    assert run(together) == run(apart)


def test_the_learning_rate_of_all_groups():
    optimizer = optim.SGD([{"params": [Parameter(np.ones(1))], "lr": lr} for lr in (0.1, 0.2)], 0.3)
    assert optimizer.lr == 0.1
    optimizer.lr = 0.5
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.5]


def test_gradients_are_scaled_to_a_norm():
    pair = [Parameter(np.ones(2, np.float32)), Parameter(np.ones((1, 1), np.float32)), Parameter(np.ones(3))]
    pair[0].grad, pair[1].grad = np.float32([3, 0]), np.float32([[-4]])
    assert optim.clip_grad_norm(pair, 5) == 5
    assert (pair[0].grad.tolist(), pair[1].grad.tolist(), pair[2].grad) == ([3, 0], [[-4]], None)
    assert optim.clip_grad_norm(iter(pair), 2.5) == 5
    assert (pair[0].grad.tolist(), pair[1].grad.tolist()) == ([1.5, 0], [[-2]])
    pair[0].grad = np.float32([1e30, 0])
    assert optim.clip_grad_norm(pair, 1.0) == pytest.approx(1e30)
    np.testing.assert_allclose(pair[0].grad, [1, 0], rtol=1e-6)


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, 0.1, 0.9, True, 0.1), optim.Adam, optim.AdamW])
def test_underflow_is_no_error_whatever_users_ask_for(make):
    parameter, gradients = Parameter(np.float32([1e-40, 1])), np.float32([[1e-40], [1e-30], [0]]).repeat(2, axis=1)
    with np.errstate(all="raise"):
        optimizer = make([parameter])
        for gradient in gradients:
            parameter.grad = gradient.copy()
            optimizer.step()
            optim.clip_grad_norm([parameter], 1e-35)
    assert np.isfinite(parameter.data).all()


def test_parameters_without_a_gradient_stay():
    used, unused = (Parameter(np.ones(2, np.float32)) for _ in range(2))
    optimizer = optim.SGD([used, unused], 0.1, weight_decay=0.5)
    used.grad = np.ones(2, np.float32)
    optimizer.step()
    assert (used.data != 1).all()
    assert (unused.data == 1).all()
    optimizer.zero_grad()
    assert used.grad is None


@pytest.mark.parametrize("shape", [(1,), ()], ids=["array", "scalar"])
@pytest.mark.parametrize(
    "make", [lambda p: optim.SGD(p, 0.1, 0.9, True, 0.1), lambda p: optim.Adam(p, 0.1), lambda p: optim.AdamW(p, 0.1)]
)
def test_saved_state_goes_on_with_the_same_bits(make, shape):
    values = []
    for reloads in (False, True):
        parameter = Parameter(np.ones(shape, np.float32))
        optimizer = make([parameter])
        for gradient in GRADIENTS:
            if reloads:
                fresh = make([parameter])
                fresh.load_state_dict(optimizer.state_dict())
                optimizer = fresh
            parameter.grad = np.full(shape, gradient, np.float32)
            optimizer.step()
        assert parameter.dtype == np.float32
        values.append(parameter.data.item())
    assert values[0] == values[1]


def _rates(make, steps):
    optimizer = optim.SGD([Parameter(np.ones(1))], 0.5)
    schedule, rates = make(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.lr)
        schedule.step()
    return rates


def test_multi_step_decay():
    rates = _rates(lambda optimizer: optim.MultiStepDecay(optimizer, [4, 2], 0.1), 6)
    np.testing.assert_allclose(rates, [0.5, 0.5, 0.05, 0.05, 0.005, 0.005], rtol=1e-14)


def test_cosine_decay_rises_then_falls_to_zero():
    rates = _rates(lambda optimizer: optim.CosineDecay(optimizer, 12, warmup=4), 14)
    np.testing.assert_allclose(rates[:5], 0.5 * np.array([1, 2, 3, 4, 5]) / 5, rtol=1e-14)
    np.testing.assert_allclose(rates[8], 0.25, rtol=1e-14)
    assert np.all(np.diff(rates[4:13]) < 0)
    np.testing.assert_allclose(rates[12:], 0, atol=1e-16)
