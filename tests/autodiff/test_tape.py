"""The walk back: sums of gradients, memory released on the way, no recursion, vjps kept to their word."""

import gc
import weakref

import numpy as np
import pytest
from support import normal

from mininet import Tensor, track_memory
from mininet import functional as F
from mininet.autodiff import Operation
from mininet.autodiff.tape import GradientSums, OutsideTape, Slot, backpropagate, next_number


def leaf(*shape, seed=0):
    return Tensor(normal(shape, seed=seed), requires_grad=True)


class Counted:
    """2 a, counting how often its vjp is called."""

    def __init__(self):
        self.calls = 0
        self.operation = Operation("counted", lambda a: (2 * a, None), self._vjp)

    def _vjp(self, saved, gradient, needs):
        self.calls += 1
        return (2 * gradient,)

    def __call__(self, a):
        return self.operation(a)


# Which vjps are called


def test_a_diamond_of_diamonds_calls_each_vjp_once():
    x, operations = leaf(2), [Counted() for _ in range(50)]
    y = x
    for operation in operations:
        z = operation(y)
        y = (z + z) * 0.25  # 2^50 ways back
    y.sum().backward()
    assert [operation.calls for operation in operations] == [1] * 50
    assert x.grad.tolist() == [1, 1]


def test_no_vjp_is_called_where_nothing_needs_a_gradient():
    frozen, counted = Tensor(np.ones(2)), Counted()
    x = leaf(2)
    (counted(frozen) * x).sum().backward()
    assert counted.calls == 0
    y = counted(x)
    (y.detach() * x).sum().backward()
    assert counted.calls == 0


def test_needs_tell_the_vjp_what_is_wanted():
    seen = []

    def vjp(saved, gradient, needs):
        seen.append(needs)
        return gradient, None, gradient

    operation = Operation("three", lambda a, b, c: (a + b + c, None), vjp)
    x, y = leaf(2), leaf(2)
    operation(x, Tensor(np.ones(2)), y * 2).sum().backward()
    assert seen == [(True, False, True)]
    assert y.grad.tolist() == [2, 2]


# Leaves own their gradients


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: a + b,
        lambda a, b: (a + b) + (b + a),
        lambda a, b: F.concatenate([a, b]),
        lambda a, b: F.concatenate([a.reshape(1, 3), b.reshape(1, 3)]).T,
        lambda a, b: (a + b).reshape(3, 1).T,
        lambda a, b: a[::-1] + b,
    ],
    ids=["sum", "sum of sums", "concatenate", "views of one array", "reshape", "slice"],
)
@pytest.mark.parametrize("rounds", [1, 2])
def test_gradients_of_leaves_share_no_memory(function, rounds):
    a, b = leaf(3, seed=1), leaf(3, seed=2)
    for _ in range(rounds):
        output = function(a, b)
        seed = np.ones(output.shape)
        output.backward(seed)
    assert not np.shares_memory(a.grad, b.grad)
    assert not np.shares_memory(a.grad, seed)
    assert not np.shares_memory(b.grad, seed)
    before = b.grad.copy()
    a.grad *= 100  # as an optimiser or gradient clipping may do
    assert np.array_equal(b.grad, before)
    assert (seed == 1).all()
    assert a.grad.flags.writeable


def test_a_leaf_is_its_own_output():
    x = leaf(3)
    seed = np.ones(3)
    x.backward(seed)
    assert np.array_equal(x.grad, seed)
    assert not np.shares_memory(x.grad, seed)


def test_accumulated_gradients_stay_where_they_are():
    x = leaf(3)
    (x * 2).sum().backward()
    kept = x.grad
    (x * 3).sum().backward()
    assert x.grad is kept
    assert kept.tolist() == [5, 5, 5]


def test_sums_write_into_nobodys_array_and_have_their_own_from_the_second_gradient_on():
    sums, slot = GradientSums(), Slot(np.zeros(2))
    first = np.array([1.0, 2.0])
    assert [sums.add(slot, array) for array in (first, np.full(2, 10.0))] == [True, False]
    own = sums._sums[slot]
    assert sums.add(slot, np.full(2, 100.0)) is False
    assert first.tolist() == [1, 2]
    assert sums.pop(slot) is own
    assert own.tolist() == [111, 112]
    assert sums.pop(slot) is None
    assert not list(sums)
    for array in (first, np.ones(2)):  # the next sum begins with an array of somebody else again
        sums.add(slot, array)
    assert first.tolist() == [1, 2]
    assert sums.pop(slot).tolist() == [2, 3]


# Twice


def test_a_released_tape_says_so():
    x = leaf(3)
    y = (x * x).sum()
    y.backward()
    before = x.grad.copy()
    with pytest.raises(RuntimeError, match=r"tape was already used and released at operation 'sum'.*keep_tape=True"):
        y.backward()
    assert np.array_equal(x.grad, before)


def test_keep_tape_keeps_what_was_saved():
    x = leaf(3)
    y = (x.exp() * x).sum()
    held = y.saved_bytes
    y.backward(keep_tape=True)
    assert y.saved_bytes == held > 0
    y.backward()
    assert y.saved_bytes == 0


def test_vjps_that_consume_what_was_saved_are_told_whether_they_may():
    told = []

    def vjp(saved, gradient, needs, keep_tape):
        told.append(keep_tape)
        return (gradient,)

    operation = Operation("consuming", lambda a: (a * 1, (a,)), vjp, consumes_saved=True)
    y = operation(leaf(2)).sum()
    y.backward(keep_tape=True)
    y.backward()
    assert told == [True, False]


# Memory


def chain_of_saved_arrays(length):
    """(input, output, weak references to what each operation saved, which of these were alive at each vjp)."""
    references, alive = [], []

    def forward(a):
        saved = np.ones(1000)
        references.append(weakref.ref(saved))
        return a + 1, (saved,)

    def vjp(saved, gradient, needs):
        alive.append([reference() is not None for reference in references])
        return (gradient,)

    operation = Operation("saving", forward, vjp)
    y = x = leaf(2)
    for _ in range(length):
        y = operation(y)
    return x, y, references, alive


def test_records_let_go_of_what_they_saved_as_they_are_passed():
    # when record k is differentiated, later records have let go already, and nothing waits for the garbage collector
    gc.disable()
    try:
        _, y, references, alive = chain_of_saved_arrays(6)
        y.sum().backward()
        assert alive == [[number <= k for number in range(6)] for k in reversed(range(6))]
        assert not any(reference() for reference in references)
    finally:
        gc.enable()


def test_gradients_on_their_way_are_released():
    # at no vjp are there more gradient arrays alive than the one it works on
    references, alive = [], []

    def vjp(saved, gradient, needs):
        alive.append(sum(reference() is not None for reference in references))
        out = gradient * 2
        references.append(weakref.ref(out))
        return (out,)

    operation = Operation("double", lambda a: (a * 2, None), vjp)
    y = leaf(1000)
    for _ in range(10):
        y = operation(y)
    y.sum().backward()
    assert alive == [0] + [1] * 9


def test_the_tape_holds_no_tensor_and_no_input_that_is_not_needed():
    x = leaf(1000)
    a = x * 2
    b = a + 1  # addition saves nothing
    data, tensor = weakref.ref(a.data), weakref.ref(a)
    del a
    assert tensor() is None
    assert data() is None
    b.sum().backward()
    assert (x.grad == 2).all()


def test_saved_bytes_count_an_array_once():
    x = leaf(1000)
    y = x.exp()  # saves its output, 8000 bytes
    z = y * x  # saves y again, and x
    assert z.saved_bytes == 16_000
    assert [record.operation.name for record in z.tape()] == ["exp", "multiply"]
    assert [record.saved_bytes for record in z.tape()] == [8000, 16_000]
    assert "multiply" in repr(z.tape()[1])
    assert "16000 bytes" in repr(z.tape()[1])
    assert "multiply" in repr(z.tape()[1].operation)


def test_the_tape_is_in_order_of_execution():
    x, y = leaf(2), leaf(2)
    a = x * 2
    b = y.exp()
    c = b + a
    d = c * a
    assert [record.operation.name for record in d.tape()] == ["multiply", "exp", "add", "multiply"]
    assert x.tape() == []


# Depth


def test_tens_of_thousands_of_operations_go_backward_and_are_deallocated():
    """Without recursion, in Python or in C, whose stack would not do for as many."""
    y = x = leaf(1)
    for _ in range(30_000):
        y = y * 1.0
    y.backward(keep_tape=True)
    assert x.grad.tolist() == [1]
    assert len(y.tape()) == 30_000
    first = weakref.ref(y)
    del y
    assert first() is None


# A vjp is held to its word


def operation_returning(*arrays, broadcasts=False):
    """An operation whose vjp returns these arrays whatever comes."""
    return Operation("careless", lambda *tensors: (np.ones((2, 3)), None), lambda *_: arrays, broadcasts=broadcasts)


@pytest.mark.parametrize("shape", [(3, 2), (2, 1), (1, 2, 3), (6,)], ids=str)
def test_a_vjp_of_the_wrong_shape_is_refused(shape):
    y = operation_returning(np.ones(shape))(leaf(2, 3))
    with pytest.raises(ValueError, match=r"vjp of 'careless' returned shape .* for an input of \(2, 3\)"):
        y.backward(np.ones((2, 3)))


# reshaping whatever has as many elements would hide a transposed gradient
TOO_LARGE = [((3, 2), (2, 3)), ((6,), (2, 3)), ((3,), (2, 3)), ((2, 2, 2), (2, 3)), ((), (1,)), ((3,), (1, 1))]


@pytest.mark.parametrize(("shape", "size"), TOO_LARGE, ids=str)
def test_a_broadcasting_vjp_may_be_larger_than_its_input_but_not_otherwise_wrong(shape, size):
    y = operation_returning(np.ones(shape), broadcasts=True)(leaf(*size))
    with pytest.raises(ValueError, match="vjp of 'careless' returned shape"):
        y.backward(np.ones((2, 3)))


def test_a_broadcasting_vjp_is_summed_to_fit():
    array = np.arange(12.0).reshape(2, 2, 3)
    for shape, expected in (
        ((2, 3), array.sum(axis=0)),
        ((1, 3), array.sum(axis=(0, 1)).reshape(1, 3)),
        ((2, 1), array.sum(axis=(0, 2)).reshape(2, 1)),
        ((2, 1, 1), array.sum(axis=(1, 2)).reshape(2, 1, 1)),
        ((3,), array.sum(axis=(0, 1))),
        ((), array.sum()),
    ):
        x = leaf(*shape)
        operation_returning(array, broadcasts=True)(x).backward(np.ones((2, 3)))
        assert np.array_equal(x.grad, expected)
        assert x.grad.shape == shape


@pytest.mark.parametrize("broadcasts", [False, True])
def test_a_vjp_of_the_wrong_dtype_is_refused(broadcasts):
    y = operation_returning(np.ones((2, 3), np.float32), broadcasts=broadcasts)(leaf(2, 3))
    with pytest.raises(TypeError, match="vjp of 'careless' returned float32 for an input of float64"):
        y.backward(np.ones((2, 3)))


@pytest.mark.parametrize("count", [0, 2])
def test_a_vjp_with_the_wrong_number_of_gradients_is_refused(count):
    y = operation_returning(*[np.ones((2, 3))] * count)(leaf(2, 3))
    with pytest.raises(ValueError):
        y.backward(np.ones((2, 3)))


# Local tapes


def test_a_walk_that_leaves_its_local_tape_raises():
    x = leaf(2)
    outer = x * 2
    since = next_number()
    inner = Tensor(np.ones(2), requires_grad=True)
    with pytest.raises(OutsideTape, match="multiply"):
        backpropagate((inner * 3 + outer).slot, np.ones(2), since=since)
    leaves = backpropagate((inner * 3 + x).slot, np.ones(2), since=since)  # leaves are no records
    assert leaves.pop(inner.slot).tolist() == [3, 3]
    assert leaves.pop(x.slot).tolist() == [1, 1]


def test_numbers_grow():
    before = next_number()
    record = (leaf(2) * 2).tape()[0]
    assert before < record.number < next_number()


def test_a_sum_is_counted_as_a_gradient():
    slot, sums = Slot(np.zeros(1000)), GradientSums()
    with track_memory() as memory:
        for _ in range(2):
            sums.add(slot, np.ones(1000))
        assert memory.current_by_kind["gradients"] == 8000


def test_records_that_were_passed_let_go_of_those_before_them():
    y = F.tanh(F.tanh(Tensor(normal(3), requires_grad=True)))
    assert len(y.tape()) == 2
    backpropagate(y.slot, np.ones(3))
    assert len(y.tape()) == 1
    with pytest.raises(RuntimeError, match="already used"):
        backpropagate(y.slot, np.ones(3))


@pytest.mark.parametrize(
    ("shape", "beside"), [((1, 3, 1), (2, 3, 1)), ((2, 1, 1), (2, 3, 1)), ((1,), (2, 3, 1)), ((1,), (0,))]
)
def test_stretched_axes_are_summed_whatever_stands_beside_them(shape, beside):
    a, b = (Tensor(np.ones(size), requires_grad=True) for size in (shape, beside))
    (a * b).sum().backward()
    assert np.array_equal(a.grad, np.full(shape, b.size / a.size))
    assert b.grad.shape == beside


def test_a_walk_may_reach_the_record_that_it_is_told_to_end_at():
    x = Tensor(np.ones(2), requires_grad=True)
    y = x * 3
    assert (backpropagate(y.slot, np.ones(2), since=y.slot.record.number).pop(x.slot) == 3).all()
