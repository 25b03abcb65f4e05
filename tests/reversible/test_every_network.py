"""What every network of layers promises, MomentumNet and its rivals alike: gradients, replay, inversion, states."""

import itertools

import numpy as np
import pytest
from reversible_support import (
    NETWORK_MODES,
    NETWORKS,
    TwoInputs,
    assert_a_kept_tape_gives_the_same_bits,
    assert_agrees,
    assert_close,
    assert_same_bits,
    batch,
    conv_block,
    dense_block,
    dropout_block,
    engine_modes,
    every_invertible,
    every_network,
    network,
    outcome,
    recurrence,
    rounding,
    train_step,
)

from mininet import Tensor, check_gradient, manual_seed, nn, no_grad
from mininet import functional as F
from mininet.seeding import position

DEPTH = 6
X = batch(5, 4, dtype=np.float64)


def twins(kind, arithmetic, backprop, block=dense_block, depth=DEPTH, **settings):
    """The net under test, and the same net with stored backprop."""
    return [
        network(kind, depth, block, arithmetic=arithmetic, backprop=way, **settings) for way in (backprop, "stored")
    ]


# Gradients

VARIANTS = {
    "plain": {},
    "tied": {"tied": True},
    "dropout": {"block": dropout_block},
    "deep": {"depth": 30},
    "one layer": {"depth": 1},
    "whole map": {"is_residual": False},
}


CASES = [
    (variant, *mode)
    for variant in VARIANTS
    for mode in NETWORK_MODES
    if not (variant == "whole map" and mode[0] == "IResNet")  # which takes contractions only
]


@pytest.mark.parametrize(("variant", "kind", "arithmetic", "backprop"), CASES)
def test_agrees_with_stored_backprop_and_with_ordinary_autodiff(variant, kind, arithmetic, backprop):
    net, stored = twins(kind, arithmetic, backprop, dtype=np.float64, **VARIANTS[variant])
    ours = train_step(net, X)
    if variant == "deep" and arithmetic == "float" and backprop == "reversible":
        assert np.array_equal(ours["y"], train_step(stored, X)["y"])  # the drift has no useful bound
        return
    assert_agrees(ours, train_step(stored, X), net)
    if variant != "deep":
        assert_close(ours, train_step(net, X, forward=recurrence(net)), rounding(net))
    gradients = [array for name, array in ours.items() if name.startswith("grad.")]
    assert all(np.isfinite(array).all() and array.any() for array in gradients), "a comparison of zeros proves nothing"


@every_network
def test_extra_inputs_get_their_gradients(kind, arithmetic, backprop):
    net, stored = twins(kind, arithmetic, backprop, TwoInputs, dtype=np.float64)
    memory = batch(5, 3, dtype=np.float64, seed=7)
    ours = train_step(net, X, memory)
    assert ours["grad.input0"].any()
    assert_agrees(ours, train_step(stored, X, memory), net)
    assert_close(ours, train_step(net, X, memory, forward=recurrence(net)), rounding(net))
    by_name = train_step(net, X, memory=memory)
    by_name["grad.input0"] = by_name.pop("grad.memory")
    assert_same_bits(by_name, ours)


@pytest.mark.parametrize(("kind", "backprop"), [(kind, way) for kind, arithmetic, way in NETWORK_MODES
                                                if arithmetic == "float"])  # fmt: skip
def test_the_whole_net_passes_the_gradient_check(kind, backprop):
    """In floats: of exact arithmetic's units, a step of finite differences has too few."""

    def function(x, weight, bias, memory):
        return F.tanh(F.linear(x, weight, bias)) * 0.4 + 0.1 * memory

    net = NETWORKS[kind]([function] * 5, backprop=backprop)
    net.arithmetic = "float"
    width = 2 if kind == "RevNet" else 4
    weight = batch(width, width, dtype=np.float64)
    weight /= np.linalg.norm(weight, 2)
    check_gradient(lambda x, *inputs: net(x, *inputs).sum(), X[:3], weight,
                   *(batch(*shape, dtype=np.float64) for shape in [(width,), (3, width)]))  # fmt: skip


@every_network
def test_frozen_parameters(kind, arithmetic, backprop):
    net, free = twins(kind, arithmetic, backprop, dtype=np.float64)
    names = ["functions.1.0.weight", "functions.4.0.weight", "functions.4.0.bias"]
    for name, parameter in net.named_parameters():
        parameter.requires_grad = name not in names
    ours, theirs = train_step(net, X), train_step(free, X)
    assert_agrees(ours, theirs | {f"grad.{name}": None for name in names}, net)


@every_network
def test_functions_that_hand_gradients_on_untouched(kind, arithmetic, backprop):
    """Sums give every summand the same gradient array: nobody may write into it, and leaves each own theirs."""

    class Shift(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Parameter(np.zeros((5, 2))), nn.Parameter(np.ones((5, 2)))

        def forward(self, x, memory):
            return 0.25 * x + self.first + self.second + memory

    class Constant(Shift):
        def forward(self, x, memory):
            return self.first + self.second + memory

    width = 4 if kind == "RevNet" else 2
    for block in (Shift, Constant):
        net, stored = (network(kind, 4, lambda features, block=block: block(), arithmetic=arithmetic, backprop=way,
                               dtype=np.float64) for way in (backprop, "stored"))  # fmt: skip
        x, memory = batch(5, width, dtype=np.float64), batch(5, 2, dtype=np.float64)
        ours = train_step(net, x, memory)
        assert_close(ours, train_step(stored, x, memory, forward=recurrence(stored)), 1e-9)
        leaves = Tensor(x, requires_grad=True), Tensor(memory, requires_grad=True)
        gradient = np.ones_like(x)
        net(*leaves).backward(gradient)
        gradients = [gradient, *(leaf.grad for leaf in (*leaves, *net.parameters()))]
        for one, other in itertools.combinations(gradients, 2):
            assert not np.shares_memory(one, other)
        assert np.array_equal(gradient, np.ones_like(x))


@every_network
def test_a_function_of_the_identity_and_one_that_is_constant(kind, arithmetic, backprop):
    half, constant = (lambda x: 0.5 * x), Tensor(np.array([[0.25, 0.5]]))
    x = np.array([[1.0, -2.0]]) if kind != "RevNet" else np.array([[1.0, -2.0, 3.0, 0.5]])
    for function in (half, lambda x: constant):
        net, stored = (NETWORKS[kind]([function] * 3, backprop=way) for way in (backprop, "stored"))
        net.arithmetic = stored.arithmetic = arithmetic
        ours, theirs = train_step(net, x), train_step(stored, x, forward=recurrence(stored))
        assert_close(ours, theirs, 1e-10)
        assert ours["grad.x"].any()


# Replay


@every_network
def test_the_replay_is_silent(kind, arithmetic, backprop):
    """Batch-norm statistics move once, masks are the same, and what happens in between changes nothing."""

    def block(features):
        return nn.Sequential(conv_block(features), nn.Dropout(0.1))

    net, stored = twins(kind, arithmetic, backprop, block, depth=4, features=6, dtype=np.float64)
    x = batch(2, 5, 5, 6, dtype=np.float64)
    functions = list(net.functions)
    manual_seed(2)
    leaf = Tensor(x, requires_grad=True)
    y = net(leaf)
    statistics = {name: array.copy() for name, array in net.named_buffers()}
    net.eval()
    manual_seed(77)
    net.backprop = "stored"
    net.functions.clear()
    stood = position()
    y.backward(batch(*x.shape, dtype=np.float64, seed=2))
    assert position() == stood
    net.functions[:] = functions
    ours, theirs = outcome(net, y, x=leaf), train_step(stored, x)
    assert_same_bits(dict(net.named_buffers()), statistics)
    if arithmetic == "exact" or backprop != "reversible":
        assert_same_bits(ours, theirs)
    else:  # blocks stretch rounding errors, of 200 products, by at most a few tens each; contractions' by 10
        assert_close(ours, theirs, 200 * np.finfo(np.float64).eps * 40.0**4)


@every_invertible
@pytest.mark.parametrize("block", [dropout_block, conv_block])
def test_invert_evaluates_the_functions_as_run_did(block, kind, arithmetic):
    x = batch(*((4, 6) if block is dropout_block else (2, 5, 5, 6)), dtype=np.float64)
    net = network(kind, 4, block, features=6, dtype=np.float64, arithmetic=arithmetic)
    state = net.run(x)
    statistics = net.state_dict()
    net.eval()
    manual_seed(123)
    np.testing.assert_allclose(positions(net.invert(state)), x, rtol=0, atol=1e-8)  # a wrong f is off by 0.01
    assert position() == (123, 0)
    assert_same_bits(net.state_dict(), statistics)


@every_network
def test_trajectory_is_what_shorter_networks_return_and_leaves_no_trace(kind, arithmetic, backprop):
    block, shape = (conv_block, (2, 5, 5, 6)) if kind != "IResNet" else (dense_block, (4, 6))
    net = network(kind, 4, block, features=6, arithmetic=arithmetic, backprop=backprop)
    x, statistics, stood = batch(*shape), net.state_dict(), position()
    found = net.trajectory(x)
    assert_same_bits(net.state_dict(), statistics)
    assert position() == stood
    assert found.shape == (5, *shape)
    functions = list(net.functions)
    for depth in range(5):
        net.functions[:] = functions[:depth]
        assert np.array_equal(net(x).data, found[depth])


# Inversion


def positions(returned):
    """x_0 of what `invert` returns."""
    return returned[0] if isinstance(returned, tuple) else returned


@every_invertible
@pytest.mark.parametrize("depth", [0, 1, 7])
def test_the_start_comes_back(depth, kind, arithmetic):
    net = network(kind, depth, dtype=np.float64, arithmetic=arithmetic)
    state = net.run(X)
    assert state.layer == depth
    output = net(X).data
    assert np.array_equal(positions(state.values()), output)
    if depth:
        assert np.abs(output - X).max() > 1e-3, "or nothing has to come back"
    x0 = positions(net.invert(state))
    assert state.layer == 0
    if arithmetic == "exact":
        assert np.array_equal(x0, np.rint(X * 2**40) / 2**40)
        assert net.check_inversion(X).is_exact
    else:
        # as gradients, but of functions that are used once
        bound = rounding(net) * np.abs(output).max() if depth else 0
        np.testing.assert_allclose(x0, X, rtol=0, atol=bound)
        assert net.check_inversion(X).largest_error <= bound


@every_invertible
def test_what_a_function_breaks_off_on_the_way_back_can_be_tried_again(kind, arithmetic):
    net, memory = network(kind, 3, TwoInputs, dtype=np.float64, arithmetic=arithmetic), batch(5, 3, dtype=np.float64)
    state, by_name = net.run(X, memory), net.run(X, memory=memory)
    other = state.copy()
    for each in (state, state, by_name):
        with pytest.raises(TypeError, match="memory"):
            net.invert(each)
    expected = net.invert(other, memory)
    assert np.array_equal(net.invert(state, memory), expected)
    assert np.array_equal(net.invert(by_name, memory=memory), expected)


@every_invertible
@pytest.mark.parametrize("depth", [0, 7])
def test_the_inverse_trajectory_passes_where_the_trajectory_did(depth, kind, arithmetic):
    """And ends where `invert` does, with a state at layer 0; what is not this net's to invert is refused as there."""
    net = network(kind, depth, dtype=np.float64, arithmetic=arithmetic)
    state, forward = net.run(X), net.trajectory(X)
    other = state.copy()
    back = net.inverse_trajectory(state)
    assert state.layer == 0
    assert back.shape == forward.shape
    assert np.array_equal(back[0], positions(net.invert(other)))
    assert np.array_equal(back[-1], forward[-1])
    bound = 0 if arithmetic == "exact" or depth == 0 else rounding(net) * np.abs(forward).max()
    np.testing.assert_allclose(back, forward, rtol=0, atol=bound)
    if depth:
        assert np.abs(np.diff(forward, axis=0)).max(axis=(1, 2)).min() > 1e-3, "or layers could be confused"
        with pytest.raises(ValueError, match=f"stand at layer {depth}, got one at layer 0"):
            net.inverse_trajectory(state)
    with pytest.raises(ValueError, match="got ndarray"):
        net.inverse_trajectory(X)


@every_invertible
def test_the_inverse_trajectory_is_undone_and_not_remembered(kind, arithmetic):
    """Another function in between leads elsewhere, which exact arithmetic notices."""
    net = network(kind, DEPTH, dtype=np.float64, arithmetic=arithmetic)
    state, forward = net.run(X), net.trajectory(X)
    net.functions[3][0].bias.data += 0.5
    if arithmetic == "exact":
        with pytest.raises(RuntimeError, match="since the run"):
            net.inverse_trajectory(state)
        return
    back = net.inverse_trajectory(state)
    np.testing.assert_allclose(back[4:], forward[4:], rtol=0, atol=rounding(net) * np.abs(forward).max())
    assert np.abs(back[:3] - forward[:3]).max(axis=(1, 2)).min() > 1e-3


def test_exact_revnet_comes_back_after_a_thousand_layers():
    # |f| <= 1 (tanh), so after 1000 layers |x| <= 1000 + a few: in range
    report = network("RevNet", 1000, tied=True, features=6, arithmetic="exact").check_inversion(batch(8, 6))
    assert report.is_exact
    assert report.unit == 2.0**-40
    assert report.velocity_units is report.velocity_errors is report.velocity_bits is None
    assert str(report) == "every x_n comes back exactly, 0 bits lost, after 1000 layers"


@every_invertible
def test_a_copied_state_is_independent(kind, arithmetic):
    net = network(kind, DEPTH, dtype=np.float64, arithmetic=arithmetic)
    state = net.run(X)
    before = [array.copy() for array in state.arrays()]
    state.input()
    other = state.copy()
    assert not np.shares_memory(other.input(), state.input())
    first = positions(net.invert(other))
    assert all(np.array_equal(array, was) for array, was in zip(state.arrays(), before, strict=True))
    assert state.layer == DEPTH
    assert np.array_equal(positions(net.invert(state)), first)


@every_invertible
def test_a_state_can_be_run_forward_again_from_where_it_came_back_to(kind, arithmetic):
    net = network(kind, DEPTH, dtype=np.float64, arithmetic=arithmetic)
    state = net.run(X)
    expected = positions(state.values())
    net.invert(state)
    for function in net.functions:
        state.step(function(Tensor(state.input())).data)
    bound = 0 if arithmetic == "exact" else rounding(net)
    np.testing.assert_allclose(positions(state.values()), expected, rtol=0, atol=bound)


@every_invertible
def test_values_given_out_belong_to_the_caller(kind, arithmetic):
    net = network(kind, DEPTH, dtype=np.float64, arithmetic=arithmetic)
    state = net.run(X)
    expected = positions(state.values())
    for array in (positions(state.values()), state.input(lasting=True), state.output()):
        array[...] = 0
    assert np.array_equal(positions(state.values()), expected)
    assert np.array_equal(X, batch(5, 4, dtype=np.float64))
    assert not any(np.shares_memory(array, X) for array in state.arrays())


NOTICING = [
    mode for mode in NETWORK_MODES if mode[2] == "checkpointed" or (mode[1] == "exact" and mode[2] == "reversible")
]


@pytest.mark.parametrize(("kind", "arithmetic", "backprop"), NOTICING)
@pytest.mark.parametrize("layer", [0, DEPTH - 1])
def test_a_change_between_forward_and_backward_is_noticed(layer, kind, arithmetic, backprop):
    net = network(kind, DEPTH, dtype=np.float64, arithmetic=arithmetic, backprop=backprop)
    y = net(Tensor(X, requires_grad=True))
    net.functions[layer][0].bias.data += 0.5
    with pytest.raises(RuntimeError, match="changed between forward and backward"):
        y.backward(np.ones_like(X))
    assert all(parameter.grad is None for parameter in net.parameters())
    assert engine_modes() == (True, False)


# The schedule of evaluations


@every_network
def test_a_kept_tape_gives_the_same_bits_each_time(kind, arithmetic, backprop):
    net = network(kind, DEPTH, dropout_block, arithmetic=arithmetic, backprop=backprop)
    assert_a_kept_tape_gives_the_same_bits(net)


@every_network
def test_without_gradients_there_is_no_tape(kind, arithmetic, backprop):
    net = network(kind, DEPTH, arithmetic=arithmetic, backprop=backprop)
    with no_grad():
        y = net(batch(5, 4))
    assert y.tape() == []
    assert np.array_equal(y.data, net(Tensor(batch(5, 4), requires_grad=True)).data)


@every_network
def test_networks_of_networks(kind, arithmetic, backprop):
    def nested(inner, outer):
        def block(features):
            return nn.Sequential(network("MomentumNet", 2, dropout_block, features=features, backprop=inner), nn.Tanh(),
                                 nn.Linear(features, features))  # fmt: skip

        net = network(kind, 3, block, dtype=np.float64, arithmetic=arithmetic, backprop=outer)
        if kind == "IResNet":  # the inner nets, x + ..., stretch by up to (1 + CONTRACTION)^2
            for function in net.functions:
                function[2].weight.data *= 0.1
        return net

    ours, theirs = train_step(nested("reversible", backprop), X), train_step(nested("stored", "stored"), X)
    if arithmetic == "exact" or backprop != "reversible":
        assert_same_bits(ours, theirs)
    else:  # the inner nets are exact, so that units of 2^-40 are what outer rounding errors can turn into
        assert_close(ours, theirs, 2.0**-40 * 1e4)


@pytest.mark.parametrize("kind", NETWORKS)
def test_name_on_the_tape(kind):
    output = NETWORKS[kind]([nn.Tanh()])(Tensor(X, requires_grad=True))
    assert [record.operation.name for record in output.tape()] == [kind]


@every_network
def test_states_do_not_keep_the_memory_order_of_x(kind, arithmetic, backprop):
    net = network(kind, 2, arithmetic=arithmetic, backprop=backprop)
    fortran = np.asfortranarray(X, np.float32)
    state = net.run(fortran)
    assert np.array_equal(net(fortran).data, net(np.ascontiguousarray(fortran)).data)
    assert all(array.flags.c_contiguous for array in state.arrays())
