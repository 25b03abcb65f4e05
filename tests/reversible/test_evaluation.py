"""What is put back after a second evaluation, and what it restores."""

import weakref

import numpy as np
import pytest
from reversible_support import every_mode, momentum_net

from mininet import MomentumNet, Tensor, nn, track_memory
from mininet.kernels import buffers

X = np.random.default_rng(5).standard_normal((5, 4)).astype(np.float32)


@every_mode
@pytest.mark.parametrize("was_frozen", [False, True])
def test_parameters_frozen_or_not_as_they_were_in_forward(arithmetic, backprop, was_frozen):
    gradients = []
    for toggles in (False, True):
        net = momentum_net(3, arithmetic=arithmetic, backprop=backprop)
        some = net.functions[1].parameters()
        for parameter in some:
            parameter.requires_grad = not was_frozen
        x = Tensor(X, requires_grad=True)
        y = net(x)
        if toggles:
            for parameter in net.functions[1].parameters():
                parameter.requires_grad = was_frozen
        y.backward(np.ones_like(X))
        if toggles:
            assert all(parameter.requires_grad is was_frozen for parameter in net.functions[1].parameters())
            for parameter in net.functions[1].parameters():
                parameter.requires_grad = not was_frozen
        others = [p for layer in (0, 2) for p in net.functions[layer].parameters()]
        gradients.append([x.grad, *(parameter.grad for parameter in others)])
    assert all(np.array_equal(a, b) for a, b in zip(*gradients, strict=True))


@every_mode
def test_a_gamma_that_vanishes_is_refused(arithmetic, backprop):
    with pytest.raises(ValueError, match="gamma"):
        momentum_net(3, gamma=1e-46, arithmetic=arithmetic, backprop=backprop)(X)


@pytest.mark.parametrize("arithmetic", ["exact", "float"])
@pytest.mark.parametrize("layer", [0, 4, 8])
def test_checkpoints_notice_a_change_between_forward_and_backward(arithmetic, layer):
    net = momentum_net(9, arithmetic=arithmetic, backprop="checkpointed")
    y = net(Tensor(X, requires_grad=True))
    next(net.functions[layer].parameters()).data += np.float32(0.5)
    with pytest.raises(RuntimeError, match="changed between forward and backward"):
        y.backward(np.ones_like(X))


def test_the_cost_of_remembering_settings_grows_with_depth_only():
    looked_at = []

    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.function = nn.Linear(2, 2)

        def __getattribute__(self, name):
            if name == "__dict__":
                looked_at.append(self)
            return super().__getattribute__(name)

        def forward(self, x):
            return x * -0.5

    counts = []
    for depth in (10, 100):
        net = momentum_net(0)
        net.functions = [Counting() for _ in range(depth)]
        looked_at.clear()
        net(Tensor(X, requires_grad=True)).backward(np.ones_like(X))
        counts.append(len(looked_at))
    assert counts[1] <= 10 * counts[0]


@every_mode
def test_a_frozen_layer_keeps_gradients_that_came_later(arithmetic, backprop):
    net = momentum_net(2, arithmetic=arithmetic, backprop=backprop)
    weight = next(net.functions[0].parameters())
    weight.requires_grad = False
    y = net(Tensor(X, requires_grad=True))
    weight.requires_grad = True
    (weight * 2).sum().backward()
    y.backward(np.ones_like(X))
    assert (weight.grad == 2).all()


@pytest.mark.parametrize("arithmetic", ["exact", "float"])
def test_stored_backprop_holds_what_the_tapes_saved_and_nothing_else(arithmetic):
    class Doubled(nn.Module):
        def forward(self, x):
            return x + x  # saves nothing

    x = np.ones((64, 1024), np.float32)
    buffers.clear()
    held = []
    for depth in (5, 20):
        net = MomentumNet([Doubled() for _ in range(depth)], gamma=0.5, arithmetic=arithmetic, backprop="stored")
        with track_memory() as memory:
            y = net(Tensor(x * 1e-9, requires_grad=True))
        held.append(memory.current_bytes - memory.current_by_kind["idle buffers"])
        assert y.requires_grad
    assert held[0] == held[1] == x.nbytes, "the output"


@every_mode
def test_the_tape_does_not_hold_the_output(arithmetic, backprop):
    net = momentum_net(2, arithmetic=arithmetic, backprop=backprop)
    y = net(Tensor(X, requires_grad=True))
    output, total = weakref.ref(y.data), y.sum()
    del y
    assert output() is None
    total.backward()


@pytest.mark.parametrize("arithmetic", ["exact", "float"])
def test_one_local_tape_at_a_time_even_if_tapes_are_kept(arithmetic):
    activations = []
    for depth in (1, 5):
        net = momentum_net(depth, arithmetic=arithmetic)
        y = net(Tensor(X, requires_grad=True))
        with track_memory() as memory:
            y.backward(np.ones_like(X), keep_tape=True)
        activations.append(memory.by_kind["activations"])
    assert activations[0] == activations[1] > 0
