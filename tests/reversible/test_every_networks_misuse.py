"""Misuse of any network is met with a clear error that names the argument, or works."""

import re

import numpy as np
import pytest
from reversible_support import (
    NETWORK_MODES,
    NETWORKS,
    assert_same_bits,
    batch,
    conv_block,
    dropout_block,
    engine_modes,
    every_invertible,
    every_network,
    network,
    train_step,
)

from mininet import IResNet, MomentumNet, ResidualNet, RevNet, Tensor, manual_seed, nn, no_grad
from mininet.autodiff import is_replaying
from mininet.seeding import position

X = batch(5, 4)
every_kind = pytest.mark.parametrize("kind", NETWORKS)


@pytest.fixture(autouse=True)
def _engine_is_usable_afterwards():
    yield
    assert engine_modes() == (True, False)


# Settings


@every_kind
@pytest.mark.parametrize("functions", [None, 3, nn.Tanh(), abs])
def test_functions_must_be_a_sequence(functions, kind):
    with pytest.raises(ValueError, match="functions must be a sequence of callables, got"):
        NETWORKS[kind](functions)


@every_kind
@pytest.mark.parametrize("functions", [[nn.Tanh(), 3], "ab"])
def test_functions_that_cannot_be_called(functions, kind):
    with pytest.raises(ValueError, match=r"functions must be callables, got \w+ at \d"):
        NETWORKS[kind](functions)


@every_kind
@pytest.mark.parametrize("wrong", ["Exact", "", "store", None, 3, []])
def test_unknown_ways(wrong, kind):
    allowed = ", ".join(NETWORKS[kind].WAYS)
    with pytest.raises(ValueError, match=rf"backprop must be one of {allowed}, got {re.escape(repr(wrong))}"):
        NETWORKS[kind]([nn.Tanh()], backprop=wrong)


def test_a_residual_net_has_no_reversible_way():
    with pytest.raises(ValueError, match="backprop must be one of stored, checkpointed, got 'reversible'"):
        ResidualNet([nn.Tanh()], backprop="reversible")


@every_kind
@pytest.mark.parametrize("use", ["__call__", "run", "trajectory"])
def test_settings_made_wrong_later_are_seen_at_the_next_use(use, kind):
    for name, wrong in (("arithmetic", "real"), ("backprop", "none"), ("functions", [None])):
        net = network(kind, 3)
        setattr(net, name, wrong)
        with pytest.raises(ValueError, match=f"{name} must be"):
            getattr(net, use)(X)


@pytest.mark.parametrize("kind", ["IResNet", "ResidualNet"])
def test_float_networks_have_no_exact_arithmetic(kind):
    net = network(kind, 3)
    net.arithmetic = "exact"
    with pytest.raises(ValueError, match="arithmetic must be one of float, got 'exact'"):
        net(X)


@pytest.mark.parametrize("iterations", [0, -1, 1.5, None, True, "many", np.array([3, 4])])
def test_iterations(iterations):
    with pytest.raises(ValueError, match="iterations must be an integer of at least 1, got"):
        IResNet([nn.Tanh()], iterations=iterations)


@pytest.mark.parametrize("tolerance", [0, -1e-3, 1, 2.0, float("nan"), True, "small"])
def test_tolerance(tolerance):
    with pytest.raises(ValueError, match="tolerance must be None or a number between 0 and 1, got"):
        IResNet([nn.Tanh()], tolerance=tolerance)


def test_numbers_of_numpy_are_numbers():
    net = IResNet([lambda x: 0.5 * x], iterations=np.int64(50), tolerance=np.float32(1e-3))
    assert len(net.run(X).arrays()) == 1


def test_whole_maps_are_no_contractions():
    net = IResNet([nn.Tanh()])
    net.is_residual = False
    with pytest.raises(ValueError, match="is_residual must be True for an IResNet"):
        net(X)


@every_kind
def test_the_settings_are_in_the_text(kind):
    net = network(kind, 3)
    assert repr(net).startswith(f"{kind}(depth=3, ")
    assert f"backprop={net.backprop!r}" in repr(net)


@every_kind
def test_parameters_are_those_of_the_functions(kind):
    net = network(kind, 2)
    assert list(net.state_dict()) == [f"functions.{n}.0.{name}" for n in range(2) for name in ("weight", "bias")]


# Inputs and values


@every_network
@pytest.mark.parametrize("shape", [(5, 3), (3,), ()])
def test_wrong_shapes(shape, kind, arithmetic, backprop):
    net = network(kind, 3, arithmetic=arithmetic, backprop=backprop)
    with pytest.raises(ValueError, match="x must have") as error:
        net(Tensor(np.zeros(shape, np.float32), requires_grad=True))
    if kind == "RevNet":
        assert f"even number of elements on its last axis, its halves, got {shape}" in str(error.value)


@every_network
def test_mixed_dtypes(kind, arithmetic, backprop):
    net = network(kind, 3, arithmetic=arithmetic, backprop=backprop)
    with pytest.raises(TypeError, match="float64 and float32"):
        net(X.astype(np.float64))


@every_network
def test_no_layers(kind, arithmetic, backprop):
    net = network(kind, 0, arithmetic=arithmetic, backprop=backprop)
    step = train_step(net, X)
    np.testing.assert_allclose(step["y"], X, rtol=0, atol=2.0**-41 if arithmetic == "exact" else 0)
    assert np.array_equal(step["grad.x"], batch(5, 4, seed=2))


@every_network
@pytest.mark.parametrize("block", [dropout_block, lambda width: nn.Conv2d(width, width, 3, padding=1)])
def test_an_empty_batch(block, kind, arithmetic, backprop):
    net = network(kind, 3, block, arithmetic=arithmetic, backprop=backprop)
    step = train_step(net, batch(*((0, 4) if block is dropout_block else (0, 5, 5, 4))))
    assert step["y"].shape == step["grad.x"].shape
    assert not any(step[f"grad.{name}"].any() for name, _ in net.named_parameters())


@every_network
@pytest.mark.parametrize(
    ("function", "error"),
    [(lambda x: x[:, :1], ValueError), (lambda x: x[0], ValueError), (lambda x: x.data, TypeError),
     (lambda x: None, TypeError), (lambda x: Tensor(x.data.astype(np.float64)), ValueError)],
)  # fmt: skip
def test_functions_that_do_not_keep_to_the_contract(function, error, kind, arithmetic, backprop):
    net = NETWORKS[kind]([nn.Tanh(), function], backprop=backprop)
    net.arithmetic = arithmetic
    for use in (net, net.run):
        with pytest.raises(error, match=re.escape("functions[1] must return")):
            use(Tensor(X, requires_grad=True))


@every_network
@pytest.mark.parametrize("is_leaf", [True, False], ids=["leaf", "computed"])
def test_a_captured_tensor_that_requires_a_gradient_is_refused(is_leaf, kind, arithmetic, backprop):
    outside = Tensor(np.full(1, 0.5, np.float32), requires_grad=True)
    captured = outside if is_leaf else 0.5 * outside
    net = NETWORKS[kind]([lambda x: x * captured] * 2, backprop=backprop)
    net.arithmetic = arithmetic
    y = net(Tensor(X, requires_grad=True))
    with pytest.raises(RuntimeError, match=r"functions.* requires a gradient.* pass it as an extra input"):
        y.sum().backward()
    assert outside.grad is None


@every_network
def test_capturing_what_is_an_extra_input_too_is_refused(kind, arithmetic, backprop):
    extra = Tensor(np.full(1, 0.5, np.float32), requires_grad=True)
    net = NETWORKS[kind]([lambda x, given: x * extra * given] * 2, backprop=backprop)
    net.arithmetic = arithmetic
    y = net(Tensor(X, requires_grad=True), extra)
    with pytest.raises(RuntimeError, match="pass it as an extra input"):
        y.sum().backward()


@pytest.mark.parametrize("backprop", RevNet.WAYS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e6])
def test_values_out_of_the_range_of_exact_arithmetic(bad, backprop):
    x = X.copy()
    x[2, 3] = bad
    error = OverflowError if bad == 3e6 else ValueError
    with pytest.raises(error, match=r"x must (be finite|lie within \+-2,097,152) in exact arithmetic"):
        network("RevNet", 3, backprop=backprop)(x)

    def function(x):
        value = np.zeros_like(x.data)
        value[3, 1] = bad
        return Tensor(value)

    net = RevNet([nn.Tanh(), function], backprop=backprop)
    error = FloatingPointError if np.isnan(bad) else OverflowError
    with pytest.raises(error, match="layer 1"):
        net(Tensor(X, requires_grad=True))


def test_overflow_after_many_layers_is_seen_and_never_wraps():
    with pytest.raises(OverflowError, match=r"x or the value .* left the range .*, in layer \d+"):
        RevNet([lambda x: 4 * x] * 200)(X)


# States


@every_invertible
def test_a_state_cannot_be_inverted_twice(kind, arithmetic):
    net = network(kind, 3, arithmetic=arithmetic)
    state = net.run(X)
    net.invert(state)
    with pytest.raises(ValueError, match="state must come from run of this net and stand at layer 3, got one at"):
        net.invert(state)


@every_invertible
@pytest.mark.parametrize("use", ["invert", "inverse_trajectory"])
def test_settings_made_wrong_after_the_run_are_seen_on_the_way_back(use, kind, arithmetic):
    net = network(kind, 3, arithmetic=arithmetic)
    state = net.run(X)
    net.backprop = "wrong"
    with pytest.raises(ValueError, match="backprop must be one of"):
        getattr(net, use)(state)


@every_invertible
def test_what_is_no_state_of_this_net_cannot_be_inverted(kind, arithmetic):
    net = network(kind, 3, arithmetic=arithmetic)
    others = [network(other, 3, arithmetic=way, seed=8) for other, way in {mode[:2] for mode in NETWORK_MODES}]
    for state in (None, X, (X, X), *(other.run(X) for other in others)):
        with pytest.raises(ValueError, match="state must come from run of this net"):
            net.invert(state)


def test_a_residual_net_cannot_be_inverted():
    net = network("ResidualNet", 3)
    message = "a ResidualNet cannot be inverted: .* use MomentumNet or RevNet, or IResNet"
    with pytest.raises(ValueError, match=message):
        net.invert(net.run(X))
    with pytest.raises(ValueError, match=message):
        net.check_inversion(X)
    with pytest.raises(ValueError, match="state must come from run of this net"):
        net.invert(X)


# Interruptions


class Interrupted(nn.Module):
    """A function that stops with an error when it is told to."""

    def __init__(self, width):
        super().__init__()
        self.inner, self.error = dropout_block(width), None

    def forward(self, x):
        if self.error and is_replaying():
            raise self.error
        return self.inner(x)


@pytest.mark.parametrize(("kind", "arithmetic", "backprop"), [mode for mode in NETWORK_MODES if mode[2] != "stored"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError("from f")], ids=["Ctrl-C", "error"])
def test_an_interruption_of_the_replay(error, kind, arithmetic, backprop):
    net = network(kind, 6, Interrupted, arithmetic=arithmetic, backprop=backprop)
    expected = train_step(net, X)
    net.zero_grad()
    manual_seed(2)
    leaf = Tensor(X, requires_grad=True)
    y = net(leaf)
    net.functions[3].error = error
    net.eval()  # so that the replay has to switch the training flags
    manual_seed(99)
    with pytest.raises(type(error)), no_grad():
        y.backward(batch(5, 4, seed=2), keep_tape=True)
    assert position() == (99, 0)
    assert not any(module.training for module in net.modules())
    assert leaf.grad is None
    assert all(parameter.grad is None for parameter in net.parameters())

    net.functions[3].error = None  # the tape was kept, so the same backward pass can be tried again
    y.backward(batch(5, 4, seed=2), keep_tape=True)
    assert np.array_equal(leaf.grad, expected["grad.x"])
    for name, parameter in net.named_parameters():
        assert np.array_equal(parameter.grad, expected[f"grad.{name}"]), name
    assert_same_bits(train_step(net.train(), X), expected)


# Threads and buffers


@every_network
def test_what_lies_in_a_used_buffer_does_not_matter(kind, arithmetic, backprop, monkeypatch):
    """Every array that `buffers` gives out is full of NaN, or of large integers, before it is written to."""
    from mininet.kernels import buffers

    net, x = network(kind, 3, conv_block, features=32, arithmetic=arithmetic, backprop=backprop), batch(2, 5, 5, 32)
    start, empty = net.state_dict(), buffers.empty
    expected = train_step(net, x)

    def used(*arguments, **keywords):
        array = empty(*arguments, **keywords)
        array.view(np.uint8).fill(255)
        return array

    monkeypatch.setattr(buffers, "empty", used)
    net.load_state_dict(start)
    assert_same_bits(train_step(net, x), expected)


@pytest.mark.parametrize(("make", "parts"), [(ResidualNet, "x"), (MomentumNet, "x and v")])
def test_what_does_not_come_back_is_named(make, parts):
    functions = [nn.Linear(2, 2) for _ in range(4)]
    loss = make(functions, backprop="checkpointed")(np.ones((1, 2), np.float32)).sum()
    functions[0].weight.data += 1
    with pytest.raises(RuntimeError, match=f"did not lead to the same {parts}: parameters"):
        loss.backward()
