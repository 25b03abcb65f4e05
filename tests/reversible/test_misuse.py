"""Misuse is met with a clear error that names the argument, or works; and after any error the engine is as before."""

import fractions
import functools
import signal

import numpy as np
import pytest
from reversible_support import (
    NETWORK_MODES,
    NETWORKS,
    assert_same_bits,
    batch,
    dense_block,
    dropout_block,
    engine_modes,
    every_arithmetic,
    every_invertible,
    every_mode,
    every_network,
    momentum_net,
    network,
    train_step,
)

from mininet import IResNet, MomentumNet, Tensor, manual_seed, nn, no_grad
from mininet.autodiff import Operation, is_replaying
from mininet.reversible import ExactState, FloatState
from mininet.seeding import position

X = batch(5, 4)
every_kind = pytest.mark.parametrize("kind", NETWORKS)


@functools.cache
def expected_step():
    return train_step(momentum_net(3, dropout_block), X)


@pytest.fixture(autouse=True)
def _engine_is_usable_afterwards():
    expected = expected_step()
    yield
    assert engine_modes() == (True, False)
    assert_same_bits(train_step(momentum_net(3, dropout_block), X), expected)


def value(array):
    """A residual function that returns the same array, whatever x is."""
    return lambda x: Tensor(array)


# Settings; constructors refuse what stands in tests/misuse


@pytest.mark.parametrize("gamma", [np.float64(0.5), np.float32(0.5), fractions.Fraction(1, 2)])
@every_arithmetic
def test_gamma_of_any_real_type(gamma, arithmetic):
    nets = [MomentumNet((nn.Tanh() for _ in range(3)), g, arithmetic=arithmetic) for g in (gamma, 0.5)]
    assert_same_bits(*(train_step(net, X) for net in nets))
    assert train_step(nets[0], X)["y"].dtype == np.float32
    assert repr(nets[0]) == repr(nets[1])


@pytest.mark.parametrize("backprop", ["reversible", "checkpointed"])
@every_arithmetic
def test_gamma_zero_is_for_stored_only(backprop, arithmetic):
    with pytest.raises(ValueError, match=rf"gamma must be above 0 for backprop='{backprop}', got 0.*'stored'"):
        MomentumNet([nn.Tanh()], 0, arithmetic=arithmetic, backprop=backprop)
    MomentumNet([nn.Tanh()], -0.0, arithmetic=arithmetic, backprop="stored")


LATER = [("arithmetic", "real"), ("backprop", ""), ("functions", [0])]


@pytest.mark.parametrize("use", ["__call__", "run", "trajectory", "check_inversion"])
@pytest.mark.parametrize(
    ("kind", "name", "wrong"),
    [
        *((kind, *each) for kind in NETWORKS for each in LATER),
        *(("MomentumNet", *each) for each in (("gamma", 1.5), ("init_velocity", 0), ("is_residual", 2))),
        ("IResNet", "is_residual", False),
        ("IResNet", "arithmetic", "exact"),
        ("ResidualNet", "arithmetic", "exact"),
    ],
)
def test_settings_made_wrong_later_are_seen_at_the_next_use(kind, name, wrong, use):
    net = network(kind, 3)
    setattr(net, name, wrong)
    with pytest.raises((TypeError, ValueError), match=f"{name} must be"):
        getattr(net, use)(X)


@every_invertible
@pytest.mark.parametrize("use", ["invert", "inverse_trajectory"])
def test_settings_made_wrong_after_the_run_are_seen_on_the_way_back(use, kind, arithmetic):
    net = network(kind, 3, arithmetic=arithmetic)
    state = net.run(X)
    net.backprop = "wrong"
    with pytest.raises(ValueError, match="backprop must be one of"):
        getattr(net, use)(state)


def test_numbers_of_numpy_are_numbers():
    net = IResNet([lambda x: 0.5 * x], iterations=np.int64(50), tolerance=np.float32(1e-3))
    assert len(net.run(X).arrays()) == 1


@every_kind
def test_settings_and_parameters_by_name(kind):
    net = network(kind, 2)
    assert repr(net).startswith(f"{kind}(depth=2, ")
    assert f"backprop={net.backprop!r}" in repr(net)
    assert list(net.state_dict()) == [f"functions.{n}.0.{name}" for n in range(2) for name in ("weight", "bias")]


# Inputs


@every_network
@pytest.mark.parametrize("shape", [(5, 3), ()])
def test_wrong_shapes(shape, kind, arithmetic, backprop):
    net = network(kind, 3, arithmetic=arithmetic, backprop=backprop)
    with pytest.raises(ValueError, match="x must have") as error:
        net(Tensor(np.zeros(shape, np.float32), requires_grad=True))
    if kind == "RevNet":
        assert f"even number of elements on its last axis, its halves, got {shape}" in str(error.value)


@every_network
def test_no_layers_and_no_examples(kind, arithmetic, backprop):
    step = train_step(network(kind, 0, arithmetic=arithmetic, backprop=backprop), X)
    np.testing.assert_allclose(step["y"], X, rtol=0, atol=2.0**-41 if arithmetic == "exact" else 0)
    assert np.array_equal(step["grad.x"], batch(5, 4, seed=2))
    net = network(kind, 3, dropout_block, arithmetic=arithmetic, backprop=backprop)
    step = train_step(net, batch(0, 4))
    assert step["y"].shape == step["grad.x"].shape
    assert not any(step[f"grad.{name}"].any() for name, _ in net.named_parameters())


@every_mode
def test_no_layers_but_an_initial_velocity(arithmetic, backprop):
    """v_0 does not reach x_N: its function gets a gradient of zeros, or none."""
    step = train_step(momentum_net(0, start=dense_block, arithmetic=arithmetic, backprop=backprop), X)
    assert np.array_equal(step["grad.x"], batch(5, 4, seed=2))
    assert not np.any(step["grad.init_velocity.0.weight"])


@pytest.mark.parametrize("kind", ["MomentumNet", "RevNet"])
@pytest.mark.parametrize("bad", [np.nan, -np.inf, 1e9, -1e9, 1e300])
def test_a_function_in_the_middle_returns(bad, kind):
    def function(x):
        values = np.zeros(x.shape)
        values[3, 1] = bad
        return Tensor(values)

    net, error = NETWORKS[kind]([nn.Tanh()] * 3 + [function, nn.Tanh()]), OverflowError
    for use in (net, net.run):
        with pytest.raises(FloatingPointError if np.isnan(bad) else error, match="layer 3"):
            use(Tensor(X.astype(np.float64), requires_grad=True))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_last_value_in_range_and_the_first_beyond(sign):
    limit = sign * 2.0**21
    idle = MomentumNet([value(np.zeros(1))] * 3, 0.5)
    assert idle(np.array([limit])).data == limit
    one_more = MomentumNet([value(np.array([sign * 2.0**-39]))], 0.5)  # half of it, one unit, is added
    assert one_more(np.array([limit - sign * 2.0**-30])).data != limit
    with pytest.raises(OverflowError):
        one_more(np.array([limit]))


# Functions that do not keep to the contract


@pytest.mark.parametrize("function", [lambda x: x[:, :2], lambda x: x.data, lambda x: None])
def test_an_initial_velocity_that_does_not_keep_to_the_contract(function):
    net = MomentumNet([nn.Tanh()], init_velocity=function)
    for use in (net, net.run, net.check_inversion):
        with pytest.raises((TypeError, ValueError), match="init_velocity must return"):
            use(X)


@every_network
def test_capturing_what_is_an_extra_input_too_is_refused(kind, arithmetic, backprop):
    extra = Tensor(np.full(1, 0.5, np.float32), requires_grad=True)
    net = NETWORKS[kind]([lambda x, given: x * extra * given] * 2, backprop=backprop)
    net.arithmetic = arithmetic
    y = net(Tensor(X, requires_grad=True), extra)
    with pytest.raises(RuntimeError, match="pass it as an extra input"):
        y.sum().backward()


@pytest.mark.parametrize(("kind", "arithmetic", "backprop"), [m for m in NETWORK_MODES if m[2] == "checkpointed"])
def test_what_does_not_come_back_is_named(kind, arithmetic, backprop):
    net, parts = network(kind, 4, arithmetic=arithmetic, backprop=backprop), "x and v" if kind == "MomentumNet" else "x"
    functions, loss = net.functions, net(X).sum()
    functions[0][0].weight.data += 1
    with pytest.raises(RuntimeError, match=f"did not lead to the same {parts}: parameters"):
        loss.backward()


# States


@pytest.mark.parametrize("kind", [FloatState, ExactState])
def test_a_state_that_no_net_has_run_cannot_be_inverted(kind):
    state = kind(X, 0.9)
    for _ in range(3):
        state.step(np.zeros_like(X))
    with pytest.raises(ValueError, match="state must come from run of this net"):
        momentum_net(3, arithmetic="exact" if kind is ExactState else "float").invert(state)


@every_arithmetic
def test_gamma_zero_cannot_be_inverted(arithmetic):
    net = momentum_net(3, gamma=0, arithmetic=arithmetic, backprop="stored")
    state = net.run(X)
    before = [array.copy() for array in state.arrays()]
    for use in (lambda: net.invert(state), lambda: net.check_inversion(X)):
        with pytest.raises(ValueError, match="gamma must be above 0 to invert"):
            use()
        assert all(np.array_equal(a, b) for a, b in zip(state.arrays(), before, strict=True))  # nothing is begun
    with pytest.raises(ValueError, match="gamma must be above 0 to invert"):
        state.undo(np.zeros_like)


# Interruptions


class Interrupted(nn.Module):
    """x -> tanh(x W) with dropout, which stops with an error when it is told to."""

    def __init__(self, width=4):
        super().__init__()
        self.inner = dropout_block(width)
        self.error, self.when = None, is_replaying

    def forward(self, x):
        if self.error and self.when():
            raise self.error
        return self.inner(x)


def interrupted_net(kind, arithmetic, backprop):
    if kind == "MomentumNet":
        return momentum_net(6, Interrupted, start=Interrupted, arithmetic=arithmetic, backprop=backprop)
    return network(kind, 6, Interrupted, arithmetic=arithmetic, backprop=backprop)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError("from f")], ids=["Ctrl-C", "error"])
@pytest.mark.parametrize("where", ["functions", "init_velocity"])
def test_an_interruption_of_the_forward_pass(where, error):
    net = interrupted_net("MomentumNet", "exact", "reversible")
    expected = train_step(net, X)
    part = net.functions[3] if where == "functions" else net.init_velocity
    part.error, part.when = error, lambda: True
    manual_seed(4)
    for use in (net.check_inversion, net, net.run):
        with pytest.raises(type(error)):
            use(X)
        assert engine_modes() == (True, False)
        if use == net.check_inversion:
            assert position() == (4, 0)
    part.error = None
    assert_same_bits(train_step(net, X), expected)


RECOMPUTING = [mode for mode in NETWORK_MODES if mode[2] != "stored"]


@pytest.mark.parametrize(
    ("where", "kind", "arithmetic", "backprop"),
    [*(("functions", *mode) for mode in RECOMPUTING),
     *(("init_velocity", *mode) for mode in RECOMPUTING if mode[0] == "MomentumNet")],
)  # fmt: skip
def test_an_interruption_of_the_replay(where, kind, arithmetic, backprop):
    net = interrupted_net(kind, arithmetic, backprop)
    expected = train_step(net, X)
    net.zero_grad()
    manual_seed(2)
    leaf = Tensor(X, requires_grad=True)
    y = net(leaf)
    part = net.functions[3] if where == "functions" else net.init_velocity
    part.error = KeyboardInterrupt()
    net.eval()  # so that the replay has to switch the training flags
    manual_seed(99)
    with pytest.raises(KeyboardInterrupt), no_grad():
        y.backward(batch(5, 4, seed=2), keep_tape=True)
    assert engine_modes() == (True, False)
    assert position() == (99, 0)
    assert not any(module.training for module in net.modules())
    assert leaf.grad is None
    assert all(parameter.grad is None for parameter in net.parameters())

    part.error = None  # the tape was kept, so the same backward pass can be tried again
    y.backward(batch(5, 4, seed=2), keep_tape=True)
    assert np.array_equal(leaf.grad, expected["grad.x"])
    for name, parameter in net.named_parameters():
        assert np.array_equal(parameter.grad, expected[f"grad.{name}"]), name
    assert_same_bits(train_step(net.train(), X), expected)


@every_arithmetic
@pytest.mark.parametrize("backprop", ["reversible", "checkpointed"])
def test_an_interrupted_backward_without_a_kept_tape_cannot_go_on(arithmetic, backprop):
    net = interrupted_net("MomentumNet", arithmetic, backprop)
    net.functions[3].error = KeyboardInterrupt()
    loss = net(X).sum()
    with pytest.raises(KeyboardInterrupt):
        loss.backward()
    net.functions[3].error = None
    with pytest.raises(RuntimeError, match="keep_tape=True"):
        loss.backward()
    assert all(parameter.grad is None for parameter in net.parameters())


def test_ctrl_c_waits_for_the_next_operation_and_no_longer():
    def pressed(array):
        signal.raise_signal(signal.SIGINT)
        return array.copy()

    def noted(array):
        noticed.append(array)
        return array.copy()

    noticed = []
    forward = Operation("forward", lambda x: (pressed(x), None), lambda _, gradient, needs: (gradient,))
    backward = Operation("backward", lambda x: (x.copy(), None), lambda _, gradient, needs: (pressed(gradient),))
    note = Operation("note", lambda x: (noted(x), None), lambda _, gradient, needs: (noted(gradient),))
    with pytest.raises(KeyboardInterrupt):
        MomentumNet([lambda x: note(forward(x))])(X)
    assert len(noticed) == 0
    loss = MomentumNet([lambda x: backward(note(x))], backprop="stored")(Tensor(X, requires_grad=True)).sum()
    with pytest.raises(KeyboardInterrupt):
        loss.backward()
    assert len(noticed) == 1


@every_mode
def test_an_interruption_of_a_vector_jacobian_product(arithmetic, backprop):
    armed = []

    def vjp(saved, gradient, needs):
        if armed:
            raise KeyboardInterrupt
        return (gradient * 0.5,)

    half = Operation("half", lambda x: (x * np.float32(0.5), None), vjp)
    net = MomentumNet([lambda x: half(x)] * 5, 0.5, arithmetic=arithmetic, backprop=backprop)
    x, again = Tensor(X, requires_grad=True), Tensor(X, requires_grad=True)
    loss = net(x).sum()
    armed.append(True)
    with pytest.raises(KeyboardInterrupt):
        loss.backward(keep_tape=True)
    assert engine_modes() == (True, False)
    assert x.grad is None
    armed.clear()
    loss.backward()
    net(again).sum().backward()
    assert np.array_equal(x.grad, again.grad)


@every_arithmetic
@pytest.mark.parametrize("where", [0, 5])
def test_after_an_interruption_nets_and_states_come_back_as_before(where, arithmetic):
    """Whether backward, an inversion or its measurement was interrupted: each leaves nothing behind in the net."""
    net = interrupted_net("MomentumNet", arithmetic, "reversible")
    part = net.functions[where]
    manual_seed(3)
    report = net.check_inversion(X)
    manual_seed(3)
    state = net.run(X)
    x0, v0 = net.invert(state.copy())
    half_undone, waiting, loss = state.copy(), state.copy(), net(Tensor(X, requires_grad=True)).sum()
    for use in (lambda: loss.backward(), lambda: net.invert(half_undone), lambda: net.check_inversion(X)):
        part.error = ZeroDivisionError("from f")
        net.eval()
        manual_seed(99)
        with pytest.raises(ZeroDivisionError):
            use()
        assert position() == (99, 0)
        assert not any(module.training for module in net.modules())
        part.error = None
        net.train()
        for found, expected in zip(net.invert(waiting.copy()), (x0, v0), strict=True):
            assert np.array_equal(found, expected)
        manual_seed(3)
        again = net.check_inversion(X)
        assert again.is_exact == (arithmetic == "exact")
        assert np.array_equal(again.position_units, report.position_units)
        assert np.array_equal(again.velocity_units, report.velocity_units)
    if where < 5:
        with pytest.raises(ValueError, match="state must"):
            net.invert(half_undone)
