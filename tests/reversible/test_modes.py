"""What happens between forward and backward changes nothing, and backward leaves no trace but gradients."""

import copy

import numpy as np
import pytest
from reversible_support import (
    BUFFER_BYTES,
    TwoInputs,
    assert_agrees,
    assert_close,
    assert_same_bits,
    batch,
    conv_block,
    dense_block,
    dropout_block,
    engine_modes,
    every_arithmetic,
    every_mode,
    every_way,
    momentum_net,
    outcome,
    recurrence,
    rounding,
    train_step,
)

from mininet import MomentumNet, Tensor, manual_seed, nn, no_grad, track_memory
from mininet.seeding import next_draw, position

DEPTH = 6


def norm_and_dropout_block():
    return nn.Sequential(nn.BatchNorm2d(4), nn.Linear(4, 4), nn.Tanh(), nn.Dropout(0.2))


def step_with(net, x, between, seed=2):
    """`train_step` with `between()` called after forward and before backward."""
    net.zero_grad()
    manual_seed(seed)
    leaf = Tensor(x, requires_grad=True)
    y = net(leaf)
    between()
    y.backward(batch(*y.shape, dtype=y.dtype, seed=seed))
    return outcome(net, y, x=leaf)


def prepared(arithmetic, backprop, block=norm_and_dropout_block, **settings):
    return momentum_net(DEPTH, block, start=dense_block, dtype=np.float64, arithmetic=arithmetic,
                        backprop=backprop, **settings)  # fmt: skip


X = batch(5, 4, dtype=np.float64)


# Between forward and backward


@every_mode
def test_switching_to_evaluation_changes_nothing(arithmetic, backprop):
    net = prepared(arithmetic, backprop)
    expected = train_step(prepared(arithmetic, backprop), X)
    assert_same_bits(step_with(net, X, net.eval), expected)
    assert not any(module.training for module in net.modules())


@every_mode
def test_switching_to_training_changes_nothing(arithmetic, backprop):
    net, other = prepared(arithmetic, backprop).eval(), prepared(arithmetic, backprop).eval()
    expected = train_step(other, X)
    assert_same_bits(step_with(net, X, net.train), expected)
    assert all(module.training for module in net.modules())


@every_mode
def test_training_flags_may_differ_by_module(arithmetic, backprop):
    """A frozen batch-norm in a net that trains: each module is replayed as it was, and left as it is."""
    nets = [prepared(arithmetic, backprop) for _ in range(2)]
    for net in nets:
        net.functions[2][0].eval()
    expected = train_step(nets[0], X)

    def swap():
        nets[1].eval()
        nets[1].functions[2][0].train()

    assert_same_bits(step_with(nets[1], X, swap), expected)
    assert [module for module in nets[1].modules() if module.training] == [nets[1].functions[2][0]]


CHANGES = {
    "gamma": 0.4,
    "backprop": "checkpointed",
    "arithmetic": "float",
    "is_residual": False,
    "functions": [],
    "init_velocity": None,
}


@every_mode
@pytest.mark.parametrize("name", CHANGES)
def test_changing_a_setting_changes_nothing(name, arithmetic, backprop):
    net, parts = prepared(arithmetic, backprop), prepared(arithmetic, backprop)
    expected = train_step(parts, X)
    before = getattr(net, name)

    def change():
        setattr(net, name, CHANGES[name])

    leaf = Tensor(X, requires_grad=True)
    manual_seed(2)
    y = net(leaf)
    change()
    y.backward(batch(*y.shape, dtype=y.dtype, seed=2))
    setattr(net, name, before)
    assert_same_bits(outcome(net, y, x=leaf), expected)


@every_mode
def test_functions_changed_in_place_change_nothing(arithmetic, backprop):
    net, other = prepared(arithmetic, backprop), prepared(arithmetic, backprop)
    functions = list(net.functions)
    leaf = Tensor(X, requires_grad=True)
    manual_seed(2)
    y = net(leaf)
    net.functions.clear()
    y.backward(batch(*y.shape, dtype=y.dtype, seed=2))
    net.functions.extend(functions)
    assert_same_bits(outcome(net, y, x=leaf), train_step(other, X))


@every_mode
def test_reseeding_changes_nothing(arithmetic, backprop):
    net = prepared(arithmetic, backprop)
    expected = train_step(prepared(arithmetic, backprop), X)
    assert_same_bits(step_with(net, X, lambda: manual_seed(77)), expected)
    assert position() == (77, 0)


@every_mode
def test_backward_within_no_grad_changes_nothing(arithmetic, backprop):
    net = prepared(arithmetic, backprop)
    expected = step_with(net, X, lambda: None)
    net = prepared(arithmetic, backprop)
    manual_seed(2)
    leaf = Tensor(X, requires_grad=True)
    y = net(leaf)
    with no_grad():
        y.backward(batch(*y.shape, dtype=y.dtype, seed=2))
    assert_same_bits(outcome(net, y, x=leaf), expected)


@every_mode
def test_drawing_changes_nothing(arithmetic, backprop):
    net = prepared(arithmetic, backprop)
    expected = train_step(prepared(arithmetic, backprop), X)
    assert_same_bits(step_with(net, X, lambda: [next_draw() for _ in range(10)]), expected)


@every_mode
def test_backward_draws_nothing(arithmetic, backprop):
    net = prepared(arithmetic, backprop)
    manual_seed(5)
    y = net(Tensor(X, requires_grad=True))
    assert position() == (5, DEPTH)
    y.sum().backward()
    assert position() == (5, DEPTH)


@every_mode
def test_another_forward_in_between_changes_nothing(arithmetic, backprop):
    net = prepared(arithmetic, backprop, norm_and_dropout_block)
    expected = train_step(prepared(arithmetic, backprop), X)
    found = step_with(net, X, lambda: net(X[::-1] * 2))
    without = {name: array for name, array in found.items() if "running" not in name}  # these did move, rightly
    assert_same_bits(without, {name: expected[name] for name in without})


PARTS = {
    "a parameter": lambda net: net.functions[1][1].weight.data,
    "a parameter of the initial velocity": lambda net: net.init_velocity[0].weight.data,
    "running statistics in evaluation": lambda net: net.functions[3][0].running_mean,
}


@pytest.mark.parametrize("part", PARTS)
def test_values_changed_in_place_are_noticed(part):
    """Running back with other values does not end at a possible start; only exact inversion can tell."""
    net = prepared("exact", "reversible").eval()

    def change():
        PARTS[part](net)[...] += 0.25

    with pytest.raises(RuntimeError, match="changed between forward and backward"):
        step_with(net, X, change)
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


# Evaluation, and without a tape


@every_mode
def test_evaluation_mode(arithmetic, backprop):
    """With running statistics that a training step has moved, dropout off, and nothing moved again."""
    nets = [prepared(arithmetic, way) for way in (backprop, "stored")]
    for net in nets:
        with no_grad():
            manual_seed(3)
            net(X)
        net.eval()
    before = dict(nets[0].named_buffers())
    statistics = {name: array.copy() for name, array in before.items()}
    ours, theirs = (train_step(net, X) for net in nets)
    assert_agrees(ours, theirs, nets[0])
    # Slopes stay below 2, so layers stretch errors at most 3 fold forward and, undone, 5 fold: of an epsilon in each of
    # a hundred operations, or of the units that rounding and a product with 9/10 are off by, never undone wrongly.
    bound = 100 * np.finfo(np.float64).eps * 15.0**DEPTH if arithmetic == "float" else 100 * 2.0**-40 * 3.0**DEPTH
    assert_close(ours, train_step(nets[0], X, forward=recurrence(nets[0])), bound)
    assert all(np.array_equal(before[name], statistics[name]) for name in statistics)


@every_mode
def test_without_gradients_there_is_no_tape_and_nothing_is_spilled(arithmetic, backprop):
    depth = 200  # at gamma 1/2, that is 200 bits for each element, and 32 fit into a word
    net = momentum_net(depth, tied=True, gamma=0.5, arithmetic=arithmetic, backprop=backprop)
    x = batch(50, 4)
    with track_memory() as memory, no_grad():
        y = net(Tensor(x, requires_grad=True))
    assert not y.requires_grad
    assert y.tape() == []
    assert memory.by_kind["side information"] == (BUFFER_BYTES * x.size if arithmetic == "exact" else 0)
    assert memory.current_by_kind["side information"] == 0
    assert memory.current_by_kind["state"] == 0
    assert memory.by_kind["checkpoints"] == 0
    assert np.array_equal(y.data, net(Tensor(x, requires_grad=True)).data)


@every_mode
def test_a_net_in_which_nothing_needs_a_gradient_leaves_no_tape(arithmetic, backprop):
    net = momentum_net(3, arithmetic=arithmetic, backprop=backprop)
    for parameter in net.parameters():
        parameter.requires_grad = False
    assert net(X.astype(np.float32)).tape() == []


@every_mode
def test_the_tape_has_one_record(arithmetic, backprop):
    y = momentum_net(3, arithmetic=arithmetic, backprop=backprop)(X.astype(np.float32))
    assert [record.operation.name for record in y.tape()] == ["momentum_net"]


# Composition


@every_mode
@pytest.mark.parametrize("inner", ["reversible", "checkpointed", "stored"])
def test_momentum_nets_inside_a_momentum_net(inner, arithmetic, backprop):
    def nested(inner, outer):
        def block():
            parts = [norm_and_dropout_block() for _ in range(2)]
            start = norm_and_dropout_block()
            return nn.Sequential(MomentumNet(parts, 0.8, start, arithmetic=arithmetic, backprop=inner), nn.Linear(4, 4))

        return momentum_net(3, block, dtype=np.float64, arithmetic=arithmetic, backprop=outer)

    ours, theirs = train_step(nested(inner, backprop), X), train_step(nested("stored", "stored"), X)
    if arithmetic == "exact" or "reversible" not in (inner, backprop):
        assert_same_bits(ours, theirs)
    else:  # 3 layers of 2 layers, each of slope below 10: rounding errors stretched at most 10^6 fold
        assert_close(ours, theirs, 100 * np.finfo(np.float64).eps * 1e6)


@every_mode
def test_between_other_layers(arithmetic, backprop):
    def model():
        net = momentum_net(DEPTH, arithmetic=arithmetic, backprop=backprop, dtype=np.float64)
        manual_seed(9)
        return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), net, nn.Linear(4, 2)).to(np.float64)

    ours, theirs = model(), model()
    parts = list(theirs)
    x = batch(5, 3, dtype=np.float64)

    def plain(x):
        return parts[3](recurrence(parts[2])(parts[1](parts[0](x))))

    bound = rounding(ours[2]) if arithmetic == "float" else rounding(ours[2]) * 2.0**-40 / 2.0**-52
    assert_close(train_step(ours, x), train_step(theirs, x, forward=plain), bound)


@every_mode
def test_an_input_used_elsewhere_gets_the_sum(arithmetic, backprop):
    net = momentum_net(DEPTH, arithmetic=arithmetic, backprop=backprop)
    x = batch(5, 4)
    alone = train_step(net, x)["grad.x"]
    both = train_step(net, x, forward=lambda x: net(x) + 4 * x)["grad.x"]
    assert np.array_equal(both, alone + 4 * batch(5, 4, seed=2))


@every_mode
def test_a_computed_input_used_elsewhere_gets_the_sum(arithmetic, backprop):
    net = momentum_net(DEPTH, arithmetic=arithmetic, backprop=backprop)
    x = batch(5, 4)
    alone = train_step(net, 2 * x)["grad.x"]

    def forward(x):
        hidden = 2 * x
        return net(hidden) + 4 * hidden

    # doubling is exact, so the sum is the same bits
    assert np.array_equal(train_step(net, x, forward=forward)["grad.x"], 2 * (alone + 4 * batch(5, 4, seed=2)))


@every_mode
def test_arrays_of_the_user_are_not_written_to(arithmetic, backprop):
    net = momentum_net(DEPTH, TwoInputs, start=dense_block, arithmetic=arithmetic, backprop=backprop)
    x, memory, gradient = batch(5, 4), batch(5, 3), batch(5, 4, seed=8)
    leaves = Tensor(x, requires_grad=True), Tensor(memory, requires_grad=True)
    y = net(*leaves)
    arrays = [x, memory, gradient, y.data]
    before = copy.deepcopy(arrays)
    y.backward(gradient)
    for array, was in zip(arrays, before, strict=True):
        assert np.array_equal(array, was)
    for leaf in (*leaves, *net.parameters()):
        assert not any(np.shares_memory(leaf.grad, array) for array in arrays)


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


@every_mode
def test_no_two_gradients_share_memory(arithmetic, backprop):
    """A function whose gradients are all the same array: each parameter must still own its own."""

    class Shift(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Parameter(np.zeros((5, 4))), nn.Parameter(np.ones((5, 4)))

        def forward(self, x):
            return x + self.first + self.second

    net = MomentumNet([Shift(), Shift()], init_velocity=Shift(), arithmetic=arithmetic, backprop=backprop)
    x = Tensor(X, requires_grad=True)
    net(x).backward(np.ones_like(X))
    gradients = [leaf.grad for leaf in (x, *net.parameters())]
    for i, gradient in enumerate(gradients):
        assert not any(np.shares_memory(gradient, other) for other in gradients[:i])


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
def test_a_captured_layer_is_refused(arithmetic, backprop):
    """A module that only a closure knows: its parameters are not those of the net."""
    layer = nn.Linear(4, 4)
    net = MomentumNet([lambda x: layer(x)], arithmetic=arithmetic, backprop=backprop)
    y = net(Tensor(X.astype(np.float32), requires_grad=True))
    with pytest.raises(RuntimeError, match="neither a parameter of the net nor an input"):
        y.sum().backward()


@every_mode
def test_a_captured_tensor_is_noticed_even_if_nothing_else_needs_a_gradient(arithmetic, backprop):
    """Otherwise its gradient would be missing from a sum with other losses, silently."""
    captured = Tensor(np.ones(4), requires_grad=True)
    net = MomentumNet([lambda x: x * captured], arithmetic=arithmetic, backprop=backprop)
    other = Tensor(np.ones((5, 4)), requires_grad=True)
    with pytest.raises(RuntimeError, match="pass it as an extra input"):
        (net(X) * other).sum().backward()


@every_mode
def test_a_captured_tensor_is_noticed_beside_frozen_parameters(arithmetic, backprop):
    captured, layer = Tensor(np.ones(4), requires_grad=True), nn.Linear(4, 4).to(np.float64)
    for parameter in layer.parameters():
        parameter.requires_grad = False
    net = MomentumNet([layer, lambda x: x * captured], arithmetic=arithmetic, backprop=backprop)
    with pytest.raises(RuntimeError, match="pass it as an extra input"):
        net(X)


@every_mode
def test_a_captured_tensor_without_gradient_is_fine(arithmetic, backprop):
    captured = Tensor(np.full(4, 0.5))
    net = MomentumNet([lambda x: x * captured] * 2, 0.5, arithmetic=arithmetic, backprop=backprop)
    x = Tensor(np.array([[1.0, 2, 3, 4]]), requires_grad=True)
    net(x).sum().backward()
    # v = x / 4, x = 1.25 x; v = x / 8 + 1.25 x / 4 = 0.4375 x: dyadic, so exact in every mode
    assert np.array_equal(x.grad, np.full((1, 4), 1.6875))


@every_way
@every_arithmetic
def test_plain_functions_with_everything_passed_in(arithmetic, backprop):
    net = MomentumNet([lambda x, scale: x * scale] * 2, 0.5, arithmetic=arithmetic, backprop=backprop)
    x, outside = Tensor(np.array([1.0]), requires_grad=True), Tensor(np.array([0.25]), requires_grad=True)
    y = net(x, 2 * outside)
    y.backward(np.ones(1))
    # with s = 2 * outside = 1/2: y = 1 + 1.25 s + 0.25 s^2, so dy/ds = 1.25 + 0.5 s; dyadic again
    assert np.array_equal(y.data, [1.6875])
    assert np.array_equal(outside.grad, [2 * 1.5])


@every_mode
def test_convolution_statistics_do_not_depend_on_the_way(arithmetic, backprop):
    net, twin = (momentum_net(4, conv_block, arithmetic=arithmetic, backprop=backprop) for _ in range(2))
    x = batch(2, 5, 5, 3)
    train_step(net, x)
    with no_grad():
        twin(x)
    assert_same_bits(dict(net.named_buffers()), dict(twin.named_buffers()))


@every_mode
def test_dropout_alone(arithmetic, backprop):
    net = momentum_net(DEPTH, dropout_block, arithmetic=arithmetic, backprop=backprop, dtype=np.float64)
    stored = momentum_net(DEPTH, dropout_block, arithmetic=arithmetic, backprop="stored", dtype=np.float64)
    assert_agrees(train_step(net, X), train_step(stored, X), net)
