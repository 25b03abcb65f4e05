"""Modules: names, state, switches and description."""

import numpy as np
import pytest

from mininet import MomentumNet, Tensor, manual_seed, nn, no_grad
from mininet import functional as F


class Small(nn.Module):
    """Parameters, a buffer, modules and lists of both."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(np.ones(2, np.float32))
        self.shifts = [nn.Parameter(np.zeros(2, np.float32)), nn.Parameter(np.full(2, 2, np.float32))]
        self.layers = [nn.Linear(2, 3), nn.BatchNorm2d(3)]
        self.last = nn.Sequential(nn.Linear(3, 2, bias=False), nn.Dropout(0.5))
        self.register_buffer("steps", np.zeros((), np.float32))
        self.note = "no module"

    def forward(self, x):
        return self.last(self.layers[1](self.layers[0](x * self.scale + self.shifts[0] + self.shifts[1])))


NAMES = [
    "scale", "shifts.0", "shifts.1", "layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias",
    "last.0.weight",
]  # fmt: skip
BUFFERS = ["steps", "layers.1.running_mean", "layers.1.running_var"]


def momentum_net():
    block = [nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), nn.Conv2d(2, 2, 1)]
    return MomentumNet([nn.Sequential(*block)], init_velocity=nn.Sequential(nn.Conv2d(2, 2, 1)))


# Names


def test_dotted_names():
    net = Small()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert [name for name, _ in net.named_buffers()] == BUFFERS
    assert [name for name, _ in net.named_children()] == ["layers.0", "layers.1", "last"]
    assert [name for name, _ in net.named_modules()] == ["", "layers.0", "layers.1", "last", "last.0", "last.1"]
    assert list(net.parameters()) == [parameter for _, parameter in net.named_parameters()]


def test_what_is_shared_appears_once_under_its_first_name():
    shared, weight = nn.Linear(2, 2), nn.Parameter(np.ones(2, np.float32))
    net = nn.Sequential(shared, nn.Sequential(shared, nn.Tanh()), shared)
    net.first = net.second = weight
    assert [name for name, _ in net.named_parameters()] == ["first", "0.weight", "0.bias"]
    assert len(list(net.modules())) == 4
    normalization = nn.BatchNorm2d(2)
    assert len(list(MomentumNet([normalization] * 5).named_buffers())) == 2


def test_what_is_a_parameter():
    """In dictionaries and nested lists, frozen or not; but no plain tensor."""
    net, layer = nn.Module(), nn.Linear(2, 2)
    layer.weight.requires_grad = False
    net.constant = Tensor(np.ones(2))
    net.parts = {"first": layer, "rest": [[nn.Parameter(np.ones(1, np.float32))]]}
    assert [name for name, _ in net.named_parameters()] == ["parts.rest.0.0", "parts.first.weight", "parts.first.bias"]
    net.to(np.float64)
    assert [parameter.requires_grad for parameter in net.parameters()] == [True, False, True]
    assert [nn.Parameter(np.ones(2), **each).requires_grad for each in ({}, {"requires_grad": False})] == [True, False]


# State


def test_state_is_copied_out_and_in():
    net, other = Small(), Small()
    state = net.state_dict()
    assert list(state) == NAMES + BUFFERS
    expected = {name: array.copy() for name, array in state.items()}
    for _, parameter in net.named_parameters():
        parameter.data += 1
    for _, array in net.named_buffers():
        array += 1
    assert all(np.array_equal(state[name], expected[name]) for name in state), "a copy does not follow"
    other.load_state_dict(state)
    for array in state.values():
        array[...] = 99
    assert all(np.array_equal(array, expected[name]) for name, array in other.state_dict().items())


def test_loading_keeps_parameters_and_their_gradients():
    """Optimisers and tied layers hold on to the tensors, so loading writes into them."""
    net = nn.Linear(2, 2)
    weight, array = net.weight, net.weight.data
    net(np.ones((1, 2), np.float32)).sum().backward()
    gradient = weight.grad
    net.load_state_dict({"weight": np.ones((2, 2)), "bias": [0.5, 0.25]})
    assert net.weight is weight
    assert weight.data is array
    assert weight.grad is gradient
    assert net.weight.dtype == np.float32
    assert net.bias.data.tolist() == [0.5, 0.25]


def test_every_misfit_is_listed_and_nothing_is_changed():
    net = Small()
    before, state = net.state_dict(), net.state_dict()
    del state["scale"], state["steps"]
    state |= {"extra": np.zeros(1), "layers.0.bias": np.zeros(4), "layers.0.weight": np.zeros((2, 3), int)}
    state["last.0.weight"] = state["last.0.weight"] + 1
    with pytest.raises(ValueError) as caught:
        net.load_state_dict(state)
    for problem in (
        "missing scale", "missing steps", "unexpected extra", "layers.0.bias has shape (4,), expected (3,)",
        "layers.0.weight has dtype int64, expected floats",
    ):  # fmt: skip
        assert problem in str(caught.value)
    assert "last.0.weight" not in str(caught.value)
    assert all(np.array_equal(array, before[name]) for name, array in net.state_dict().items())


# Switches


def test_training_and_evaluation_reach_every_module():
    net = nn.Sequential(Small(), MomentumNet([nn.Dropout(0.5)], init_velocity=nn.BatchNorm2d(2)))
    assert all(module.training for module in net.modules())
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert net.train() is net
    assert all(module.training for module in net.modules())
    net.train(0)
    assert all(module.training is False for module in net.modules())


def test_conversion_to_float64_and_back():
    net = Small()
    before = net.state_dict()
    x = np.random.default_rng(0).standard_normal((4, 2)).astype(np.float32)
    net(x).sum().backward()
    assert net.to(np.float64) is net
    assert {array.dtype for array in net.state_dict().values()} == {np.dtype(np.float64)}
    assert all(parameter.grad is None for parameter in net.parameters())
    assert net(x.astype(np.float64)).dtype == np.float64
    net.load_state_dict(before)
    net.to("float32")
    assert {array.dtype for array in net.state_dict().values()} == {np.dtype(np.float32)}
    assert all(np.array_equal(array, before[name]) for name, array in net.state_dict().items())
    net(x).sum().backward()
    assert net.scale.grad.dtype == np.float32
    net.zero_grad()
    assert all(parameter.grad is None for parameter in net.parameters())


# Description, and the base class


def test_repr():
    convolution = nn.Conv2d(4, 2, (1, 3), 2, dilation=(1, 2), groups=2)
    assert repr(nn.Sequential(convolution, nn.Sequential(nn.ReLU()), nn.Dropout(0.25))) == (
        "Sequential(\n"
        "  (0): Conv2d(4, 2, kernel_size=(1, 3), stride=(2, 2), padding=(0, 0), dilation=(1, 2), groups=2, bias=True)\n"
        "  (1): Sequential(\n"
        "    (0): ReLU()\n"
        "  )\n"
        "  (2): Dropout(p=0.25)\n"
        ")"
    )
    text = repr(MomentumNet([nn.Tanh()], init_velocity=nn.Linear(2, 2)))
    assert text.startswith(
        "MomentumNet(depth=1, gamma=0.9, is_residual=True, arithmetic='exact', backprop='reversible'\n"
    )
    assert "(functions.0): Tanh()" in text
    assert "(init_velocity): Linear(2, 2, bias=True)" in text


def test_a_net_is_a_function_of_the_seed():
    assert not np.array_equal(nn.Linear(3, 3).weight.data, nn.Linear(3, 3).weight.data)
    states = []
    for seed in (1, 1, 2):
        manual_seed(seed)
        states.append(momentum_net().state_dict())
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])
    assert not np.array_equal(states[0]["functions.0.0.weight"], states[2]["functions.0.0.weight"])


def test_a_list_of_modules_is_a_sequence_of_functions():
    layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(2)).append(F.tanh)
    net = nn.Module()
    net.layers = layers
    assert [name for name, _ in net.named_parameters()] == [
        "layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias",
    ]  # fmt: skip
    for functions in (layers, nn.Sequential(*layers)):
        assert MomentumNet(functions).functions == list(layers)


def test_a_module_that_the_net_cannot_see():
    layer = nn.Linear(2, 2)
    for hidden in (lambda x: layer(x), layer.forward):
        with pytest.raises(RuntimeError, match="a lambda or a bound method hides its module, pass the module instead"):
            MomentumNet([hidden])(np.ones((1, 2), np.float32))


def test_sequential():
    net = nn.Sequential(nn.Linear(2, 3), F.tanh, nn.Linear(3, 1))
    x = np.ones((4, 2), np.float32)
    assert len(net) == 3
    assert net[1] is F.tanh
    assert list(net) == [net[0], net[1], net[2]]
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert [type(net[1:]), len(net[1:]), net[1:][1]] == [nn.Sequential, 2, net[2]]
    with no_grad():
        assert np.array_equal(net(x).data, net[2](F.tanh(net[0](x))).data)
        assert np.array_equal(nn.Sequential()(Tensor(x)).data, x)
