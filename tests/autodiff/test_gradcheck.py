"""The checker is checked: a vjp that is slightly wrong must fail, a right one must pass."""

import numpy as np
import pytest
from support import normal

from mininet import Tensor, check_gradient, check_jacobian
from mininet import functional as F
from mininet.autodiff import GradientError, Operation, functional, is_recording

CHECKERS = [check_gradient, check_jacobian]
by_checker = pytest.mark.parametrize("check", CHECKERS, ids=lambda check: check.__name__)


def distorted(forward, vjp, distort):
    """An operation whose vjp is passed through `distort(gradients)`, a function of a list."""
    operation = Operation(
        "distorted", forward, lambda saved, gradient, needs: distort(list(vjp(saved, gradient, needs)))
    )
    return lambda *tensors: operation(*tensors)


def scaled(number, factor):
    def distort(gradients):
        gradients[number] = gradients[number] * factor
        return gradients

    return distort


OPERATIONS = {
    "square": (lambda a: (a * a, a), lambda a, g, needs: [2 * a * g], [normal((2, 3))]),
    "matrix product": (
        lambda a, b: (a @ b, (a, b)),
        lambda saved, g, needs: [g @ saved[1].T, saved[0].T @ g],
        [normal((2, 3), seed=1), normal((3, 4), seed=2)],
    ),
    "sum": (lambda a: (a.sum(), a.shape), lambda shape, g, needs: [np.full(shape, g)], [normal((2, 3))]),
}
by_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


@by_checker
@by_operation
def test_right_vjps_pass(operation, check):
    forward, vjp, inputs = operation
    check(distorted(forward, vjp, lambda gradients: gradients), *inputs)


@by_checker
def test_differences_are_as_good_as_float64_allows(check):
    """exp has all derivatives equal to its value: eps^(2/3) / 6 from truncation, as much and more from rounding."""
    check(functional.exp, normal((2, 3)), tolerance=20 * np.finfo(np.float64).eps ** (2 / 3))
    check(lambda x: (x + 1e6) - 1e6 - x + 1e3, normal((2, 3)))  # rounding errors about 1000, of slope 0
    check(lambda x: 0 * x, normal((2, 3)))


@by_checker
@by_operation
@pytest.mark.parametrize("factor", [1.001, 0.999])
def test_a_vjp_wrong_by_a_thousandth_fails(operation, factor, check):
    forward, vjp, inputs = operation
    for number in range(len(inputs)):  # in one of two inputs is enough
        with pytest.raises(GradientError):
            check(distorted(forward, vjp, scaled(number, factor)), *inputs)


@by_operation
def test_a_single_wrong_element_fails_the_jacobian(operation):
    forward, vjp, inputs = operation
    for number, array in enumerate(inputs):
        for index in np.ndindex(array.shape):

            def distort(gradients, number=number, index=index):
                gradients[number] = gradients[number].copy()
                gradients[number][index] *= 1.001
                return gradients

            with pytest.raises(GradientError, match=f"input {number} "):
                check_jacobian(distorted(forward, vjp, distort), *inputs)


@by_checker
def test_missing_gradients_and_nan_fail(check):
    with pytest.raises(GradientError, match=r"backward gives .*, finite differences "):
        check(lambda a, b: a.detach() * b, normal(3, seed=1), normal(3, seed=2))
    forward, vjp, inputs = OPERATIONS["square"]
    with pytest.raises(GradientError):
        check(distorted(forward, vjp, scaled(0, np.nan)), *inputs)


def test_nan_is_the_worst_error():
    forward, vjp, _ = OPERATIONS["square"]
    wrong = distorted(forward, vjp, scaled(0, 1.5))
    nan = distorted(forward, vjp, lambda gradients: [np.where(gradients[0] == 0, 0, np.nan)])
    with pytest.raises(GradientError, match=r"d output\[1\] / d input 0 \[0\]: backward gives nan"):
        check_jacobian(lambda a: F.concatenate([wrong(a), nan(a), wrong(a)]), np.ones(1))


@by_checker
def test_an_input_that_does_not_matter_and_an_empty_output_pass(check):
    check(lambda a, b: a * 2, normal(3, seed=1), normal(3, seed=2))
    check(lambda a: Tensor(np.ones(2)), normal(3))
    check(lambda a: functional.tanh(a), np.zeros((0, 3)))


@by_checker
def test_the_tolerance_counts(check):
    forward, vjp, inputs = OPERATIONS["square"]
    wrong = distorted(forward, vjp, scaled(0, 1.001))
    check(wrong, *inputs, tolerance=0.01)
    with pytest.raises(GradientError):
        check(wrong, *inputs, tolerance=1e-5)


@by_checker
def test_inputs_stay_as_they_are(check):
    arrays = normal((2, 2), seed=1), normal((2, 2), seed=2)
    copies = [array.copy() for array in arrays]
    check(functional.matmul, *arrays)
    assert all(np.array_equal(array, copy) for array, copy in zip(arrays, copies, strict=True))


def test_directions_and_seed():
    calls = []

    def function(a):
        calls.append(a.data.copy())
        return a * 2

    check_gradient(function, np.ones(3), directions=4)
    first = list(calls)
    assert len(first) == 4 * 3  # backward, and a value on either side
    calls.clear()
    check_gradient(function, np.ones(3))
    assert len(calls) == 3 * 3
    calls.clear()
    check_gradient(function, np.ones(3), directions=4)
    assert all(np.array_equal(one, other) for one, other in zip(first, calls, strict=True))
    calls.clear()
    check_gradient(function, np.ones(3), directions=4, seed=1)
    assert not np.array_equal(first[1], calls[1])


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3])
def test_a_slightly_wrong_vjp_is_rejected_at_any_scale(scale):
    right = functional.tanh

    def small(factor):
        wrong = Operation("wrong", right.forward, lambda *saved: [factor * g for g in right.vjp(*saved)])
        return lambda x: wrong(x) * scale

    x = np.linspace(-1, 1, 5)
    for check in (check_gradient, check_jacobian):
        check(small(1.0), x)
        with pytest.raises(GradientError):
            check(small(1.001), x)


def test_differences_are_taken_without_a_tape():
    seen = []
    check_gradient(lambda x: seen.append(is_recording()) or x * 2, np.ones(2), directions=1)
    assert seen == [True, False, False]
