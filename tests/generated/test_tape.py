"""Any sequence of operations and backward passes, against the same expressions in plain NumPy."""

import hypothesis.strategies as st
import numpy as np
import pytest
from examples import stateful
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from strategies import laid_out, layouts, seeds
from support import assert_unchanged

from mininet import Tensor, no_grad, track_memory
from mininet import functional as F

SHAPE = (2, 3)
STEP = np.finfo(np.float64).eps ** (1 / 3)

# Each maps tensors, or arrays, of SHAPE to one of SHAPE, and keeps numbers small
OPERATIONS = {
    "add": (2, lambda a, b: 0.5 * (a + b), lambda a, b: 0.5 * (a + b)),
    "add to itself": (1, lambda a: 0.5 * a + 0.25 * a, lambda a: 0.75 * a),
    "subtract": (2, lambda a, b: 0.5 - (a - b), lambda a, b: 0.5 - (a - b)),
    "multiply": (2, lambda a, b: F.tanh(a * b), lambda a, b: np.tanh(a * b)),
    "square": (1, lambda a: F.tanh(a * a), lambda a: np.tanh(a * a)),
    "divide": (2, lambda a, b: a / (b * b + 1), lambda a, b: a / (b * b + 1)),
    "softmax": (1, F.softmax, lambda a: np.exp(a) / np.exp(a).sum(axis=-1, keepdims=True)),
    "product": (2, lambda a, b: F.tanh(a @ b.T @ b), lambda a, b: np.tanh(a @ b.T @ b)),
    "broadcast": (2, lambda a, b: a - b.mean(axis=0), lambda a, b: a - b.mean(axis=0)),
    "from halves": (
        2,
        lambda a, b: F.concatenate([a[:, 1:], b[:, [0]]], axis=1),
        lambda a, b: np.concatenate([a[:, 1:], b[:, :1]], axis=1),
    ),
    "turned": (1, lambda a: a.T.reshape(*SHAPE), lambda a: a.T.reshape(SHAPE)),
    "row twice": (1, lambda a: a[[1, 1]], lambda a: a[[1, 1]]),
    "sigmoid": (1, F.sigmoid, lambda a: 1 / (1 + np.exp(-a))),
}


class Node:
    """A tensor, and how it came about: an operation on other nodes, or nothing, for a leaf or a constant."""

    def __init__(self, tensor, operation=None, parents=(), recorded=True):
        self.tensor, self.operation, self.parents = tensor, operation, parents
        self.on_tape = recorded and any(parent.tensor.requires_grad for parent in parents)
        self.is_used_up = self.may_be_used_up = False
        self.value = tensor.data.copy()

    def behind(self):
        """Itself and all that it was computed from on the tape."""
        found, waiting = [], [self]
        while waiting:
            node = waiting.pop()
            if not any(node is other for other in found):
                found.append(node)
                waiting.extend(parent for parent in node.parents if node.on_tape)
        return found

    def value_for(self, values):
        """Its value if leaves had those `values`, by node; what is not on the tape stays."""
        if self not in values:
            inputs = [parent.value_for(values) for parent in self.parents] if self.on_tape else None
            values[self] = self.value if inputs is None else OPERATIONS[self.operation][2](*inputs)
        return values[self]


class TapeMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.tracking = track_memory()
        self.memory = self.tracking.__enter__()
        self.nodes, self.expected = [], {}

    @initialize()
    def begin(self):
        for seed in range(2):
            self.leaf(seed, True, "C")

    @rule(seed=seeds, requires_grad=st.booleans(), layout=layouts)
    def leaf(self, seed, requires_grad, layout):
        array = laid_out(np.random.default_rng(seed).standard_normal(SHAPE), layout)
        node = Node(Tensor(array, requires_grad=requires_grad))
        self.nodes.append(node)
        self.expected[node] = None

    @rule(name=st.sampled_from(sorted(OPERATIONS)), first=st.integers(0, 99), second=st.integers(0, 99),
          recorded=st.sampled_from([True, True, True, False]))  # fmt: skip
    def operate(self, name, first, second, recorded):
        count, function, truth = OPERATIONS[name]
        parents = [self.nodes[-1 - i % len(self.nodes)] for i in (first, second)[:count]]
        tensors = [parent.tensor for parent in parents]
        if recorded:
            output = function(*tensors)
        else:
            with no_grad():
                output = function(*tensors)
        node = Node(output, name, parents, recorded)
        assert output.requires_grad == node.on_tape
        np.testing.assert_allclose(output.data, truth(*(parent.value for parent in parents)), rtol=1e-12, atol=1e-12)
        self.nodes.append(node)

    @rule(which=st.integers(0, 99))
    def detach(self, which):
        tensor = self.nodes[which % len(self.nodes)].tensor.detach()
        assert not tensor.requires_grad
        node = Node(tensor)
        self.nodes.append(node)
        self.expected[node] = None

    @rule(which=st.integers(0, 99), seed=seeds, keep=st.booleans(), layout=layouts)
    def backward(self, which, seed, keep, layout):
        node = self.nodes[-1 - which % len(self.nodes)]
        gradient = laid_out(np.random.default_rng(seed).standard_normal(SHAPE), layout)
        if not node.tensor.requires_grad:
            with pytest.raises(RuntimeError, match="requires a gradient"):
                node.tensor.backward(gradient)
            return
        behind = node.behind()
        on_tape = [other for other in behind if other.on_tape]
        if any(other.is_used_up for other in on_tape):
            with pytest.raises(RuntimeError, match="keep_tape=True"):
                node.tensor.backward(gradient)
            for other in on_tape:  # some of them were passed before the error came
                other.may_be_used_up = True
            return
        if any(other.may_be_used_up for other in on_tape):
            return
        before = gradient.copy()
        node.tensor.backward(gradient, keep_tape=keep)
        assert_unchanged([gradient], [before])
        leaves = [other for other in behind if not other.on_tape and other.tensor.requires_grad]
        self.compare(node, leaves, gradient, seed)
        for other in on_tape:
            other.is_used_up = not keep

    def compare(self, node, leaves, gradient, seed):
        """The gradients that have come to the leaves, along a random direction, with differences."""
        random = np.random.default_rng([seed, 1])
        along = [random.standard_normal(SHAPE) for _ in leaves]
        upper, lower = (
            node.value_for({leaf: leaf.value + sign * STEP * d for leaf, d in zip(leaves, along, strict=True)})
            for sign in (1, -1)
        )
        ours = 0.0
        for leaf, d in zip(leaves, along, strict=True):
            before = self.expected.get(leaf)
            arrived = leaf.tensor.grad - (0 if before is None else before)
            self.expected[leaf] = leaf.tensor.grad.copy()
            ours += np.sum(arrived * d)
        theirs = np.sum(gradient * (upper - lower)) / (2 * STEP)
        # as in gradcheck; what had accumulated is rounded anew
        anew = 1e-9 * max(np.abs(self.expected[leaf]).sum() for leaf in leaves)
        scale = max(abs(ours), abs(theirs), np.sum(np.abs(gradient * upper)), np.sum(np.abs(gradient)), anew)
        assert abs(ours - theirs) <= 1e-6 * scale

    @rule(which=st.integers(0, 99), value=st.booleans())
    def switch(self, which, value):
        """`requires_grad` of a leaf, but for those that were used: what was recorded keeps to what it was then."""
        node = self.nodes[which % len(self.nodes)]
        if node.on_tape:
            with pytest.raises(RuntimeError, match="leaves only"):
                node.tensor.requires_grad = value
        elif not any(node in other.parents for other in self.nodes):
            node.tensor.requires_grad = value
            if not value:
                self.expected[node] = None

    @rule(which=st.integers(0, 99))
    def forget_gradient(self, which):
        node = self.nodes[which % len(self.nodes)]
        node.tensor.grad = None
        self.expected[node] = None

    @precondition(lambda self: len(self.nodes) > 12)
    @rule()
    def forget_all_but_leaves(self):
        self.nodes = [node for node in self.nodes if not node.parents][-4:]

    @invariant()
    def nothing_else_changes(self):
        for node in self.nodes:
            assert np.array_equal(node.tensor.data, node.value)
            grad, expected = node.tensor.grad, self.expected.get(node)
            assert (grad is None) == (expected is None)
            assert grad is None or np.array_equal(grad, expected)
        grads = [node.tensor.grad for node in self.nodes if node.tensor.grad is not None]
        assert not any(np.shares_memory(a, b) for i, a in enumerate(grads) for b in grads[:i])

    def teardown(self):
        """Without tensors there is no tape."""
        self.nodes, self.expected = [], {}
        try:
            assert self.memory.current_by_kind["activations"] == 0
        finally:
            self.tracking.__exit__(None, None, None)


test_any_expression_and_its_gradients = stateful(TapeMachine, share=5)
