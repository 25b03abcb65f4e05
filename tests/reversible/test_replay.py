"""A momentum net in every mode: a second evaluation is made as the first one was, whatever happens, without a trace."""

import tracemalloc

import numpy as np
import pytest
from reversible_support import (
    TwoInputs,
    assert_same_bits,
    batch,
    dense_block,
    engine_modes,
    every_mode,
    momentum_net,
    outcome,
    train_step,
)

from mininet import MomentumNet, Tensor, manual_seed, nn, no_grad
from mininet.reversible.replay import Replay
from mininet.seeding import next_draw, position

DEPTH = 6
X = batch(5, 4, dtype=np.float64)


def block():
    return nn.Sequential(nn.BatchNorm2d(4), nn.Linear(4, 4), nn.Tanh(), nn.Dropout(0.2))


def prepared(arithmetic, backprop):
    return momentum_net(DEPTH, block, start=dense_block, dtype=np.float64, arithmetic=arithmetic, backprop=backprop)


def other_settings(net):
    net.gamma, net.backprop, net.arithmetic, net.is_residual = 0.4, "checkpointed", "float", False
    net.functions, net.init_velocity = [], None


def swap_modes(net):
    net.eval()
    net.functions[2][0].train()


BEFORE = {"a frozen norm, then another": lambda net: net.functions[2][0].eval(), "training": lambda net: net.eval()}
BETWEEN = {
    "evaluation": lambda net: net.eval(),
    "training": lambda net: net.train(),
    "a frozen norm, then another": swap_modes,
    "other functions": lambda net: net.functions.clear(),
    "reseeding": lambda net: manual_seed(77),
    "draws": lambda net: [next_draw() for _ in range(10)],
    "another forward": lambda net: net(X[::-1] * 2),
    "other settings": other_settings,
}


@every_mode
@pytest.mark.parametrize("what", BETWEEN)
def test_what_happens_between_forward_and_backward_changes_nothing(what, arithmetic, backprop):
    net, other = prepared(arithmetic, backprop), prepared(arithmetic, backprop)
    for each in (net, other):
        BEFORE.get(what, lambda net: None)(each)
    expected = train_step(other, X)
    settings, functions = dict(vars(net)), list(net.functions)
    manual_seed(2)
    leaf = Tensor(X, requires_grad=True)
    y = net(leaf)
    BETWEEN[what](net)
    flags, stood = [module.training for module in net.modules()], position()
    with no_grad():
        y.backward(batch(5, 4, dtype=np.float64, seed=2))
    assert position() == stood
    assert [module.training for module in net.modules()] == flags
    assert engine_modes() == (True, False)
    vars(net).update(settings)
    net.functions[:] = functions
    found = outcome(net, y, x=leaf)
    if what == "another forward":  # which did move the statistics, rightly
        found, expected = ({k: v for k, v in arrays.items() if "running" not in k} for arrays in (found, expected))
    assert_same_bits(found, expected)


@every_mode
@pytest.mark.parametrize("was_frozen", [False, True])
def test_parameters_frozen_or_not_as_they_were_in_forward(arithmetic, backprop, was_frozen):
    gradients = []
    for toggles in (False, True):
        net = momentum_net(3, arithmetic=arithmetic, backprop=backprop, dtype=np.float64)
        some = list(net.functions[1].parameters())
        for parameter in some:
            parameter.requires_grad = not was_frozen
        x = Tensor(X, requires_grad=True)
        y = net(x)
        if toggles:
            for parameter in some:
                parameter.requires_grad = was_frozen
        y.backward(np.ones_like(X))
        assert all(parameter.requires_grad is (was_frozen == toggles) for parameter in some)
        others = [p for layer in (0, 2) for p in net.functions[layer].parameters()]
        gradients.append([x.grad, *(parameter.grad for parameter in others)])
    assert all(np.array_equal(a, b) for a, b in zip(*gradients, strict=True))


@every_mode
def test_a_frozen_layer_keeps_gradients_that_came_later(arithmetic, backprop):
    net = momentum_net(2, arithmetic=arithmetic, backprop=backprop, dtype=np.float64)
    weight = next(net.functions[0].parameters())
    weight.requires_grad = False
    y = net(Tensor(X, requires_grad=True))
    weight.requires_grad = True
    (weight * 2).sum().backward()
    y.backward(np.ones_like(X))
    assert (weight.grad == 2).all()


@every_mode
def test_settings_of_a_function_that_change_from_layer_to_layer(arithmetic, backprop):
    """One module, in training or not and with another seed from layer to layer, as the functions between have it."""

    def step(backprop):
        manual_seed(0)
        shared, layers = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)).to(np.float64), []
        for number in range(6):

            def switch(x, number=number):
                shared.train(number % 3 != 0)
                if number == 3:
                    manual_seed(11)
                return 0 * x

            layers += [switch, shared]
        net = MomentumNet(layers, 0.8, arithmetic=arithmetic, backprop=backprop)
        manual_seed(2)
        x = Tensor(X, requires_grad=True)
        y = net(x)
        y.backward(batch(5, 4, dtype=np.float64, seed=2))
        return y.data, x.grad, shared[0].weight.grad

    for ours, theirs in zip(step(backprop), step("stored"), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9 if arithmetic == "float" else 0)
        assert ours.any()


def test_what_is_remembered_of_a_layer_takes_a_few_bytes():
    """Of many layers that share a function: where its random numbers stood, and settings once."""
    depth, x, function = 1500, np.ones(1), nn.Dropout(0.1)
    Replay("", [function]).value(0, x)  # so that caches are filled
    replay = Replay("", [function] * depth)
    tracemalloc.start()
    try:
        for layer in range(depth):
            replay.value(layer, x)
        grown = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert grown <= 16 * depth


# Evaluation, and arrays that users hold


@every_mode
def test_a_net_in_which_nothing_needs_a_gradient_leaves_no_tape(arithmetic, backprop):
    net = momentum_net(3, arithmetic=arithmetic, backprop=backprop)
    for parameter in net.parameters():
        parameter.requires_grad = False
    assert net(X.astype(np.float32)).tape() == []


@every_mode
def test_writing_to_the_output_does_not_disturb_backward(arithmetic, backprop):
    net = momentum_net(DEPTH, arithmetic=arithmetic, backprop=backprop)
    expected = train_step(net, batch(5, 4))
    leaf = Tensor(batch(5, 4), requires_grad=True)
    net.zero_grad()
    y = net(leaf)
    values = y.data.copy()
    y.data[...] = 0
    leaf.data[...] = 0
    y.backward(batch(5, 4, seed=2))
    y.data[...] = values
    assert_same_bits(outcome(net, y, x=leaf), expected)


# What is noticed

PARTS = {
    "a parameter": lambda net: net.functions[1][1].weight.data,
    "a parameter of the initial velocity": lambda net: net.init_velocity[0].weight.data,
    "running statistics in evaluation": lambda net: net.functions[3][0].running_mean,
}


@pytest.mark.parametrize("part", PARTS)
def test_values_changed_in_place_are_noticed(part):
    """Running back with other values does not end at a possible start; only exact inversion can tell."""
    net = prepared("exact", "reversible").eval()
    y = net(Tensor(X, requires_grad=True))
    PARTS[part](net)[...] += 0.25
    with pytest.raises(RuntimeError, match="were changed between forward and backward, or"):
        y.sum().backward()
    assert all(parameter.grad is None for parameter in net.parameters())
    assert engine_modes() == (True, False)


def test_an_extra_input_changed_in_place_is_noticed():
    net, memory = momentum_net(DEPTH, TwoInputs), Tensor(batch(5, 3))
    y = net(Tensor(batch(5, 4), requires_grad=True), memory)
    memory.data[0, 0] += 1
    with pytest.raises(RuntimeError, match="changed between forward and backward"):
        y.sum().backward()


def test_a_function_that_is_not_deterministic_is_noticed():
    random = np.random.default_rng(0)
    net = MomentumNet([lambda x: x + Tensor(random.standard_normal(x.shape))] * 3)
    y = net(Tensor(X, requires_grad=True))
    with pytest.raises(RuntimeError, match="not deterministic"):
        y.sum().backward()


# Captured tensors


@every_mode
@pytest.mark.parametrize("is_leaf", [True, False], ids=["leaf", "computed"])
@pytest.mark.parametrize("where", ["functions", "init_velocity"])
def test_a_captured_tensor_that_requires_a_gradient_is_refused(where, is_leaf, arithmetic, backprop):
    outside = Tensor(np.ones(4), requires_grad=True)
    captured = outside if is_leaf else 2 * outside

    def capturing(x):
        return x * captured

    functions = [capturing if where == "functions" else nn.Tanh()] * 2
    start = capturing if where == "init_velocity" else None
    net = MomentumNet(functions, 0.9, start, arithmetic=arithmetic, backprop=backprop)
    x = Tensor(X, requires_grad=True)
    y = net(x)
    with pytest.raises(RuntimeError, match=f"{where}.* requires a gradient.* pass it as an extra input"):
        y.sum().backward()
    assert x.grad is None
    assert outside.grad is None
    assert engine_modes() == (True, False)


@every_mode
@pytest.mark.parametrize("beside_frozen_parameters", [False, True])
def test_a_captured_tensor_is_noticed_if_nothing_else_needs_a_gradient(beside_frozen_parameters, arithmetic, backprop):
    """Otherwise its gradient would be missing from a sum with other losses, silently."""
    captured, layer = Tensor(np.ones(4), requires_grad=True), nn.Linear(4, 4).to(np.float64)
    for parameter in layer.parameters():
        parameter.requires_grad = False
    functions = [layer] * beside_frozen_parameters + [lambda x: x * captured]
    net = MomentumNet(functions, arithmetic=arithmetic, backprop=backprop)
    with pytest.raises(RuntimeError, match="pass it as an extra input"):
        net(X)
    with no_grad():
        net(X)


@every_mode
def test_a_captured_tensor_without_gradient_is_fine(arithmetic, backprop):
    captured = Tensor(np.full(4, 0.5))
    net = MomentumNet([lambda x: x * captured] * 2, 0.5, arithmetic=arithmetic, backprop=backprop)
    x = Tensor(np.array([[1.0, 2, 3, 4]]), requires_grad=True)
    net(x).sum().backward()
    # v = x / 4, x = 1.25 x; v = x / 8 + 1.25 x / 4 = 0.4375 x: dyadic, so exact in every mode
    assert np.array_equal(x.grad, np.full((1, 4), 1.6875))
