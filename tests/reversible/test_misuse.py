"""Misuse is met with a clear error that names the argument, or works; and after any error the engine is as before."""

import fractions
import re

import numpy as np
import pytest
from reversible_support import (
    ARITHMETICS,
    assert_same_bits,
    batch,
    conv_block,
    dense_block,
    dropout_block,
    engine_modes,
    every_arithmetic,
    every_mode,
    momentum_net,
    train_step,
)

from mininet import MomentumNet, Tensor, manual_seed, nn, no_grad
from mininet.autodiff import is_replaying
from mininet.autodiff.tape import Operation
from mininet.autodiff.tensor import apply
from mininet.reversible import ExactState, FloatState
from mininet.seeding import position

X = batch(5, 4)


@pytest.fixture(autouse=True)
def _engine_is_usable_afterwards():
    expected = train_step(momentum_net(3, dropout_block), X)
    yield
    assert engine_modes() == (True, False)
    assert_same_bits(train_step(momentum_net(3, dropout_block), X), expected)


def value(array):
    """A residual function that returns the same array, whatever x is."""
    return lambda x: Tensor(array)


# Settings


@pytest.mark.parametrize("gamma", [-0.1, -1e-300, 1, 1.0, 1.5, float("nan"), float("inf"), -float("inf"), "0.9", True,
                                   False, None, 0.5 + 0j, [0.9], np.array([0.5, 0.6])])  # fmt: skip
@every_mode
def test_gamma_outside_its_range(arithmetic, backprop, gamma):
    with pytest.raises(ValueError, match="gamma must be a number of at least 0 and below 1, got"):
        MomentumNet([nn.Tanh()], gamma, arithmetic=arithmetic, backprop=backprop)


@pytest.mark.parametrize("gamma", [1 - 2.0**-21, 1 - 2.0**-53, 2.0**-21, 1e-300, 5e-324])
def test_gamma_too_near_to_0_or_1_for_exact_arithmetic(gamma):
    with pytest.raises(ValueError, match=r"gamma must be .*in exact arithmetic, got"):
        MomentumNet([nn.Tanh()], gamma)
    MomentumNet([nn.Tanh()], gamma, arithmetic="float")


@pytest.mark.parametrize("gamma", [0.5, np.float64(0.5), np.float32(0.5), fractions.Fraction(1, 2)])
@every_mode
def test_gamma_of_any_real_type(gamma, arithmetic, backprop):
    nets = [MomentumNet([nn.Tanh()] * 3, g, arithmetic=arithmetic, backprop=backprop) for g in (gamma, 0.5)]
    assert_same_bits(*(train_step(net, X) for net in nets))
    assert train_step(nets[0], X)["y"].dtype == np.float32
    assert repr(nets[0]) == repr(nets[1])


@pytest.mark.parametrize("backprop", ["reversible", "checkpointed"])
@every_arithmetic
@pytest.mark.parametrize("gamma", [0, 0.0, -0.0])
def test_gamma_zero_is_for_stored_only(gamma, backprop, arithmetic):
    with pytest.raises(ValueError, match=rf"gamma must be above 0 for backprop='{backprop}', got 0.*'stored'"):
        MomentumNet([nn.Tanh()], gamma, arithmetic=arithmetic, backprop=backprop)
    MomentumNet([nn.Tanh()], gamma, arithmetic=arithmetic, backprop="stored")


@pytest.mark.parametrize("name", ["arithmetic", "backprop"])
@pytest.mark.parametrize("wrong", ["Exact", "", "store", None, 3, [], b"exact"])
def test_unknown_names(name, wrong):
    with pytest.raises(ValueError, match=rf"{name} must be one of .*got {re.escape(repr(wrong))}"):
        MomentumNet([nn.Tanh()], **{name: wrong})


@pytest.mark.parametrize("functions", [[nn.Tanh(), 3], [None], "ab", [np.zeros(3)], [[nn.Tanh()]]])
def test_functions_that_cannot_be_called(functions):
    with pytest.raises(ValueError, match=r"functions must be callables, got \w+ at \d"):
        MomentumNet(functions)


@pytest.mark.parametrize("functions", [None, 3, nn.Tanh(), nn.Sequential(nn.Tanh()), abs])
def test_functions_must_be_a_sequence(functions):
    with pytest.raises(ValueError, match="functions must be"):
        MomentumNet(functions)


def test_functions_may_come_from_a_generator():
    assert len(MomentumNet(nn.Tanh() for _ in range(3)).functions) == 3


@pytest.mark.parametrize("start", [0, np.zeros(3), Tensor(np.zeros(3)), "zero"])
def test_initial_velocity_must_be_a_function(start):
    with pytest.raises(ValueError, match="init_velocity must be None or a callable, got"):
        MomentumNet([nn.Tanh()], init_velocity=start)


WRONG_LATER = {
    "gamma": (1.5, "gamma must be"),
    "arithmetic": ("real", "arithmetic must be"),
    "backprop": ("none", "backprop must be"),
    "init_velocity": (0, "init_velocity must be"),
    "functions": ([None], "functions must be"),
}


@pytest.mark.parametrize("name", WRONG_LATER)
@pytest.mark.parametrize("use", ["__call__", "run", "check_inversion", "trajectory"])
def test_settings_made_wrong_later_are_seen_at_the_next_use(use, name):
    net = momentum_net(3)
    wrong, message = WRONG_LATER[name]
    setattr(net, name, wrong)
    with pytest.raises(ValueError, match=message):
        getattr(net, use)(X)


# Inputs


@every_mode
def test_wrong_shapes(arithmetic, backprop):
    dense = momentum_net(3, arithmetic=arithmetic, backprop=backprop)
    conv = momentum_net(3, conv_block, arithmetic=arithmetic, backprop=backprop)
    for net, shape, message in [
        (dense, (5, 3), "x must have 4 features on its last axis"),
        (dense, (), "x must have 4 features on its last axis"),
        (conv, (5, 6, 6, 4), "x must have 3 channels on its last axis"),
        (conv, (6, 6, 3), "x must have 4 axes"),
        (conv, (1, 1, 1, 3), "x must have at least 2 values in every channel"),
    ]:
        with pytest.raises(ValueError, match=message):
            net(Tensor(np.zeros(shape, np.float32), requires_grad=True))


@every_mode
def test_mixed_dtypes(arithmetic, backprop):
    net = momentum_net(3, arithmetic=arithmetic, backprop=backprop)
    x = X.astype(np.float64)
    with pytest.raises(TypeError, match="float64 and float32"):
        net(x)
    with pytest.raises(TypeError, match="float64 and float32"), no_grad():
        net(x)
    with pytest.raises(TypeError, match="float64 and float32"):
        net.run(x)


@every_mode
@pytest.mark.parametrize("x", [np.arange(20).reshape(5, 4), X.astype(np.float16), X > 0, X.astype(complex), "abc"])
def test_x_of_another_type(x, arithmetic, backprop):
    net = momentum_net(3, arithmetic=arithmetic, backprop=backprop)
    for use in (net, net.run, net.check_inversion):
        with pytest.raises(TypeError, match="float"):
            use(x)


@every_mode
def test_lists_are_taken_as_float32(arithmetic, backprop):
    net = momentum_net(3, arithmetic=arithmetic, backprop=backprop)
    assert np.array_equal(net(X.tolist()).data, net(X).data)


@every_mode
@pytest.mark.parametrize(
    ("block", "shape"),
    [(dense_block, (0, 4)), (lambda: nn.Conv2d(3, 3, 3, padding=1), (0, 5, 5, 3))],
    ids=["dense", "conv"],
)
def test_an_empty_batch(block, shape, arithmetic, backprop):
    net = momentum_net(3, block, start=block, arithmetic=arithmetic, backprop=backprop)
    step = train_step(net, batch(*shape))
    assert step["y"].shape == step["grad.x"].shape == shape
    assert not any(step[f"grad.{name}"].any() for name, _ in net.named_parameters())


@every_mode
def test_no_layers(arithmetic, backprop):
    """The identity, but for the rounding of x to units in exact arithmetic."""
    net = momentum_net(0, arithmetic=arithmetic, backprop=backprop)
    step = train_step(net, X)
    np.testing.assert_allclose(step["y"], X, rtol=0, atol=2.0**-41 if arithmetic == "exact" else 0)
    assert np.array_equal(step["grad.x"], batch(5, 4, seed=2))


@every_mode
def test_no_layers_but_an_initial_velocity(arithmetic, backprop):
    """v_0 does not reach x_N: its function gets a gradient of zeros, or none."""
    step = train_step(momentum_net(0, start=dense_block, arithmetic=arithmetic, backprop=backprop), X)
    assert np.array_equal(step["grad.x"], batch(5, 4, seed=2))
    assert not np.any(step["grad.init_velocity.0.weight"])


@every_mode
def test_one_layer(arithmetic, backprop):
    net = momentum_net(1, gamma=0.9, dtype=np.float64, arithmetic=arithmetic, backprop=backprop)
    x = X.astype(np.float64)
    expected = x + (1 - 0.9) * net.functions[0](Tensor(x)).data
    # x and f are rounded to halves of units, or a few epsilons of x
    bound = 2.0**-40 if arithmetic == "exact" else 4 * np.finfo(np.float64).eps * np.abs(expected).max()
    np.testing.assert_allclose(net(x).data, expected, rtol=0, atol=bound)


# Values in exact arithmetic

BAD_VALUES = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("backprop", ["reversible", "checkpointed", "stored"])
@pytest.mark.parametrize("bad", BAD_VALUES)
def test_x_that_is_not_finite(bad, backprop):
    x = X.copy()
    x[2, 1] = bad
    net = momentum_net(3, backprop=backprop)
    with pytest.raises(ValueError, match="x must be finite in exact arithmetic"):
        net(Tensor(x, requires_grad=True))
    with pytest.raises(ValueError, match="x must be finite in exact arithmetic"):
        net.run(x)


@pytest.mark.parametrize("bad", [2_097_153.0, -3e6, 1e30])
def test_x_that_is_too_large(bad):
    x = X.copy()
    x[0, 0] = bad
    with pytest.raises(OverflowError, match=r"x must lie within \+-2,097,152 in exact arithmetic, got"):
        momentum_net(3)(x)


@pytest.mark.parametrize("bad", [*BAD_VALUES, 3e6])
@pytest.mark.parametrize("backprop", ["reversible", "checkpointed", "stored"])
def test_initial_velocity_out_of_range(backprop, bad):
    net = MomentumNet([nn.Tanh()], init_velocity=value(np.full((5, 4), np.float32(bad))), backprop=backprop)
    error = ValueError if not np.isfinite(bad) else OverflowError
    with pytest.raises(error, match="initial velocity must"):
        net(Tensor(X, requires_grad=True))


@pytest.mark.parametrize("backprop", ["reversible", "checkpointed", "stored"])
@pytest.mark.parametrize(
    ("bad", "error"),
    [(np.nan, FloatingPointError), *((bad, OverflowError) for bad in (np.inf, -np.inf, 1e9, -1e9, 1e300))],
)
def test_a_function_in_the_middle_returns(bad, error, backprop):
    values = np.zeros((5, 4))
    values[3, 2] = bad
    net = MomentumNet([value(np.zeros((5, 4)))] * 3 + [value(values)] + [value(np.zeros((5, 4)))], backprop=backprop)
    with pytest.raises(error, match="layer 3"):
        net(Tensor(X.astype(np.float64), requires_grad=True))
    with pytest.raises(error, match="layer 3"):
        net.run(X.astype(np.float64))


@pytest.mark.parametrize("bad", BAD_VALUES)
def test_floats_pass_through_in_float_arithmetic(bad):
    net = MomentumNet([value(np.full(3, bad))], 0.5, arithmetic="float")
    assert np.array_equal(net(np.zeros(3)).data, np.full(3, bad), equal_nan=True)


def test_overflow_after_many_layers_is_seen_and_never_wraps():
    grow = MomentumNet([lambda x: 4 * x] * 200, 0.5)
    with pytest.raises(OverflowError, match=r"left the range of exact arithmetic, \+-2,097,152, in layer \d+"):
        grow(Tensor(np.ones(3), requires_grad=True))
    with pytest.raises(OverflowError):
        grow.run(-np.ones(3))


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

CONTRACT = {
    "fewer features": (lambda x: x[:, :2], ValueError),
    "broadcast": (lambda x: x[0], ValueError),
    "more axes": (lambda x: x.reshape(5, 4, 1), ValueError),
    "another dtype": (lambda x: Tensor(x.data.astype(np.float64)), ValueError),
    "an ndarray": (lambda x: x.data, TypeError),
    "None": (lambda x: None, TypeError),
    "a tuple": (lambda x: (x, x), TypeError),
}


@every_mode
@pytest.mark.parametrize("where", ["functions[1]", "init_velocity"])
@pytest.mark.parametrize("what", CONTRACT)
def test_functions_that_return(what, where, arithmetic, backprop):
    function, error = CONTRACT[what]
    functions = [nn.Tanh(), function, nn.Tanh()] if where == "functions[1]" else [nn.Tanh()]
    net = MomentumNet(functions, 0.9, function if where == "init_velocity" else None,
                      arithmetic=arithmetic, backprop=backprop)  # fmt: skip
    for use in (lambda: net(Tensor(X, requires_grad=True)), lambda: net.run(X), lambda: net.check_inversion(X)):
        with pytest.raises(error, match=re.escape(f"{where} must return")):
            use()


@every_mode
def test_functions_that_do_not_take_what_they_are_given(arithmetic, backprop):
    net = momentum_net(2, arithmetic=arithmetic, backprop=backprop)
    with pytest.raises(TypeError, match="argument"):
        net(X, X)
    with pytest.raises(TypeError, match="unexpected keyword argument 'mask'"):
        net(X, mask=X)


# States


@every_arithmetic
def test_a_state_cannot_be_inverted_twice(arithmetic):
    net = momentum_net(3, arithmetic=arithmetic)
    state = net.run(X)
    net.invert(state)
    with pytest.raises(
        ValueError, match="state must come from run of this net and stand at layer 3, got one at layer 0"
    ):
        net.invert(state)


@every_arithmetic
@pytest.mark.parametrize("state", [None, X, (X, X), "state"])
def test_what_is_no_state_cannot_be_inverted(state, arithmetic):
    with pytest.raises(ValueError, match=f"state must come from run of this net.*got {type(state).__name__}"):
        momentum_net(3, arithmetic=arithmetic).invert(state)


@every_arithmetic
def test_a_state_of_another_depth_cannot_be_inverted(arithmetic):
    with pytest.raises(ValueError, match="state must come from run of this net"):
        momentum_net(3, arithmetic=arithmetic).invert(momentum_net(4, arithmetic=arithmetic).run(X))


@pytest.mark.parametrize("ours", ARITHMETICS)
@pytest.mark.parametrize("theirs", ARITHMETICS)
def test_a_state_of_another_net_cannot_be_inverted(ours, theirs):
    """Of the same depth: nothing but the net tells them apart, and what came back would be wrong."""
    state = momentum_net(3, arithmetic=theirs, seed=8).run(X)
    with pytest.raises(ValueError, match="state must come from run of this net"):
        momentum_net(3, arithmetic=ours).invert(state)


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
    with pytest.raises(ValueError, match="gamma must be above 0 to invert"):
        net.invert(state)
    assert all(np.array_equal(a, b) for a, b in zip(state.arrays(), before, strict=True))  # nothing is begun
    state.undo_input(None)
    with pytest.raises(ValueError, match="gamma must be above 0 to invert"):  # nor by who goes back by hand
        state.undo_velocity(np.zeros_like(X))


def test_gamma_zero_is_refused_before_anything_is_computed():
    net = MomentumNet([lambda x: pytest.fail("called")], gamma=0, backprop="stored")
    with pytest.raises(ValueError, match="gamma must be above 0 to invert"):
        net.check_inversion(X)


# Interruptions


class Interrupted(nn.Module):
    """x -> tanh(x W), which stops with an error when it is told to."""

    def __init__(self):
        super().__init__()
        self.inner = dropout_block()
        self.error, self.when = None, lambda: False

    def forward(self, x):
        if self.error and self.when():
            raise self.error
        return self.inner(x)


def interrupted_net(arithmetic, backprop):
    return momentum_net(6, Interrupted, start=Interrupted, arithmetic=arithmetic, backprop=backprop)


ERRORS = [KeyboardInterrupt(), ZeroDivisionError("from f")]


@every_mode
@pytest.mark.parametrize("error", ERRORS, ids=["Ctrl-C", "error"])
@pytest.mark.parametrize("where", ["functions", "init_velocity"])
def test_an_interruption_of_the_forward_pass(where, error, arithmetic, backprop):
    net = interrupted_net(arithmetic, backprop)
    expected = train_step(interrupted_net(arithmetic, backprop), X)
    part = net.functions[3] if where == "functions" else net.init_velocity
    part.error, part.when = error, lambda: True
    for use in (lambda: net(X), lambda: net.run(X), lambda: net.check_inversion(X)):
        with pytest.raises(type(error)):
            use()
        assert engine_modes() == (True, False)
    manual_seed(4)
    with pytest.raises(type(error)):
        net.check_inversion(X)
    assert position() == (4, 0)
    part.error = None
    assert_same_bits(train_step(net, X), expected)


@every_arithmetic
@pytest.mark.parametrize("backprop", ["reversible", "checkpointed"])
@pytest.mark.parametrize("error", ERRORS, ids=["Ctrl-C", "error"])
@pytest.mark.parametrize("where", ["functions", "init_velocity"])
def test_an_interruption_of_the_replay(where, error, arithmetic, backprop):
    net = interrupted_net(arithmetic, backprop)
    expected = train_step(interrupted_net(arithmetic, backprop), X)
    part = net.functions[3] if where == "functions" else net.init_velocity
    part.error, part.when = error, is_replaying
    manual_seed(2)
    leaf = Tensor(X, requires_grad=True)
    y = net(leaf)
    net.eval()  # so that the replay has to switch the training flags
    manual_seed(99)
    with pytest.raises(type(error)), no_grad():
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
    net = interrupted_net(arithmetic, backprop)
    net.functions[3].error, net.functions[3].when = KeyboardInterrupt(), is_replaying
    loss = net(X).sum()
    with pytest.raises(KeyboardInterrupt):
        loss.backward()
    net.functions[3].error = None
    with pytest.raises(RuntimeError, match="keep_tape=True"):
        loss.backward()
    assert all(parameter.grad is None for parameter in net.parameters())


@every_mode
def test_an_interruption_of_a_vector_jacobian_product(arithmetic, backprop):
    armed = []

    def vjp(saved, gradient, needs):
        if armed:
            raise KeyboardInterrupt
        return (gradient * 0.5,)

    half = Operation("half", lambda x: (x * np.float32(0.5), None), vjp)
    net = MomentumNet([lambda x: apply(half, x)] * 5, 0.5, arithmetic=arithmetic, backprop=backprop)
    x = Tensor(X, requires_grad=True)
    loss = net(x).sum()
    armed.append(True)
    with pytest.raises(KeyboardInterrupt):
        loss.backward(keep_tape=True)
    assert engine_modes() == (True, False)
    assert x.grad is None
    armed.clear()
    loss.backward()
    again = Tensor(X, requires_grad=True)
    net(again).sum().backward()
    assert np.array_equal(x.grad, again.grad)


@every_arithmetic
def test_an_interruption_of_an_inversion(arithmetic):
    net = interrupted_net(arithmetic, "reversible")
    state = net.run(X)
    net.functions[3].error, net.functions[3].when = KeyboardInterrupt(), is_replaying
    net.eval()
    manual_seed(99)
    with pytest.raises(KeyboardInterrupt):
        net.invert(state)
    assert position() == (99, 0)
    assert not any(module.training for module in net.modules())
    with pytest.raises(ValueError, match="state must"):  # half undone
        net.invert(state)


@every_arithmetic
@pytest.mark.parametrize("where", [0, 3, 5])
@pytest.mark.parametrize("error", ERRORS, ids=["Ctrl-C", "error"])
def test_after_an_interruption_nets_and_states_come_back_as_before(error, where, arithmetic):
    """Whether backward, an inversion or its measurement was interrupted: each leaves nothing behind in the net."""
    net = interrupted_net(arithmetic, "reversible")
    part = net.functions[where]
    manual_seed(3)
    report = net.check_inversion(X)
    manual_seed(3)
    state = net.run(X)
    x0, v0 = net.invert(state.copy())
    waiting, loss = state.copy(), net(Tensor(X, requires_grad=True)).sum()
    interrupted = [
        lambda: loss.backward(),
        lambda: net.invert(state.copy()),
        lambda: net.check_inversion(X),
    ]
    for use in interrupted:
        part.error, part.when = error, is_replaying
        with pytest.raises(type(error)):
            use()
        part.error = None
        for found, expected in zip(net.invert(waiting.copy()), (x0, v0), strict=True):
            assert np.array_equal(found, expected)
        manual_seed(3)
        again = net.check_inversion(X)
        assert again.is_exact == (arithmetic == "exact")
        assert np.array_equal(again.position_units, report.position_units)
        assert np.array_equal(again.velocity_units, report.velocity_units)
