"""What is promised in floats."""

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..base.types import AnyArray
from . import cases, diagnosis, promises, reference
from .cases import Case
from .contract import FLOAT, Broken, Implementation, NotWritten
from .layers import Watch
from .promises import Promise, Results, promise, require_close, with_gradient
from .reference import Gradients

PROMISES: list[Promise] = []


def _train(implementation: Implementation, case: Case) -> Gradients:
    """Run forward, in case it keeps something for later, then backward from the right x_N and v_N."""
    with contextlib.suppress(Broken, NotWritten):
        implementation.forward(case)
    return implementation.backward(case)


def _all_cases() -> list[Case]:
    return [*cases.small_cases(), *cases.large_cases(), cases.deep_case()]


@promise(PROMISES, "forward", "x_N and v_N follow equation 2: v <- gamma v + (1 - gamma) f(x), then x <- x + v")
def _forward_follows_equation_2(implementation: Implementation) -> None:
    for case in _all_cases():
        tolerance = cases.deep_rounding(case) if case.depth > 10 else cases.rounding(case, back=False)
        results = promises.state_results(case.depth, implementation.forward(case), case.final)
        require_close(case, results, tolerance, lambda: diagnosis.of_forward(implementation))


@promise(PROMISES, "inversion", "invert brings x_N and v_N back to x_0 and v_0, but for rounding errors")
def _inversion_comes_back(implementation: Implementation) -> None:
    for case in _all_cases():
        tolerance = cases.deep_rounding(case, back=True) if case.depth > 10 else cases.rounding(case)
        results = promises.state_results(0, implementation.invert(case), (case.x, case.v))
        x, v = map(cases.shown, case.final)
        example = f"{case}; invert is given x_{case.depth} {x}, v_{case.depth} {v}"
        require_close(example, results, tolerance, lambda: diagnosis.of_invert(implementation))


@promise(PROMISES, "gradients", "dL/dx_0 and the gradients by parameters are those of stored backpropagation")
def _gradients_are_right(implementation: Implementation) -> None:
    for case in [*cases.small_cases(), *cases.large_cases()]:
        results = promises.gradient_results(case, _train(implementation, case), case.gradients)
        _require_gradients(implementation, case, results)
    deep = cases.deep_case()
    right, came = deep.gradients, _train(implementation, deep)
    results = [("dL/dx_0", came[0], right[0])]
    tolerance = 2 * cases.deep_rounding(deep) * np.abs(deep.dx).max()  # 2: a column of the matrix where that has a row
    require_close(with_gradient(deep), results, tolerance, lambda: None)


@promise(PROMISES, "gradient of v_0", "dL/dv_0 is right, also where v_0 is 0")
def _gradient_of_velocity_is_right(implementation: Implementation) -> None:
    for case in [*cases.small_cases(), *cases.large_cases()]:
        results = [("dL/dv_0", _train(implementation, case)[1], case.gradients[1])]
        _require_gradients(implementation, case, results)


def _require_gradients(implementation: Implementation, case: Case, results: Results) -> None:
    tolerance = cases.gradient_rounding(case)
    require_close(with_gradient(case), results, tolerance, lambda: diagnosis.of_backward(implementation))


@promise(PROMISES, "finite differences", "gradients are the slopes of L along random directions")
def _gradients_are_slopes(implementation: Implementation) -> None:
    """Compare with central differences of the reference's forward pass, which know nothing of backpropagation."""
    for case in (cases.case_of_shape(3, 4), cases.case_of_shape(2, 3, 3, 4, gamma=0.5)):
        dx, dv, gradients = _train(implementation, case)
        random = np.random.default_rng(1)
        for _ in range(3):
            by_x, by_v = (random.standard_normal(case.x.shape) for _ in range(2))
            by_parameters = [[random.standard_normal(theta.shape) for theta in f.parameters] for f in case.functions]
            slope = np.sum(dx * by_x) + np.sum(dv * by_v) + sum(
                np.sum(gradient * by)
                for entry, directions in zip(gradients, by_parameters, strict=True)
                for gradient, by in zip(entry, directions, strict=True)
            )  # fmt: skip
            right, tolerance = _difference_quotient(case, by_x, by_v, by_parameters)
            require_close(
                with_gradient(case), [("the slope along a random direction", np.array([slope]), np.array([right]))],
                tolerance, lambda: diagnosis.of_backward(implementation) or UNKNOWN_SLOPE,
            )  # fmt: skip


UNKNOWN_SLOPE = "see the promises on gradients above: their examples are smaller"


def _difference_quotient(
    case: Case, by_x: AnyArray, by_v: AnyArray, by_parameters: Sequence[Sequence[AnyArray]]
) -> tuple[float, float]:
    """Compute the slope of L = <dx, x_N> by central differences, and a bound on its error.

    With step h the slope is off by c h^2, a third of its difference from the slope with step 2 h.  Rounding errors of L
    are divided by h.
    """

    def loss(distance: float) -> float:
        functions = [f.moved(by, distance) for f, by in zip(case.functions, by_parameters, strict=True)]
        x, _ = reference.run(functions, case.gamma, case.x + distance * by_x, case.v + distance * by_v)
        return float(np.sum(case.dx * x))

    h = 1e-4
    fine, coarse = ((loss(step) - loss(-step)) / (2 * step) for step in (h, 2 * h))
    return fine, abs(fine - coarse) + cases.rounding(case, back=False) * np.abs(case.dx).sum() / h


@promise(PROMISES, "tied functions", "the gradient of a function that stands at several layers is the sum over them")
def _tied_functions_add_up(implementation: Implementation) -> None:
    for case in cases.tied_cases():
        right, came = case.gradients, _train(implementation, case)
        results = promises.gradient_results(case, came, right)
        example = f"{with_gradient(case)}, and the same function at several layers"
        require_close(example, results, cases.gradient_rounding(case), lambda: _why_tied(implementation))


def _why_tied(implementation: Implementation) -> str | None:
    """Find the part of the sum that came on all cases."""
    parts: dict[str, Callable[[list[AnyArray]], Any]] = {
        "only the first layer's part is there: gradients were overwritten, and each layer needs an entry of its own": (
            lambda entries: entries[0]
        ),
        "the first layer's gradient stands at each of its layers: was it overwritten in a dict of functions?": (
            lambda entries: len(entries) * entries[0]
        ),
        "only the last layer's part is there": lambda entries: entries[-1],
        "the last layer's gradient stands at each of its layers": lambda entries: len(entries) * entries[-1],
        "each entry is the sum over all layers already, and counts again and again": (
            lambda entries: len(entries) * sum(entries)
        ),
    }
    found = [(case, case.gradients[2], _train(implementation, case)[2]) for case in cases.tied_cases()]
    for cause, part in parts.items():
        if all(
            diagnosis.agree(sum(came[n][k] for n in layers), part([right[n][k] for n in layers]))
            for case, right, came in found
            for layers, k in promises.shared_parameters(case)
        ):
            return cause
    return diagnosis.of_backward(implementation)


@promise(PROMISES, "float32", "float32 stays float32, in results and in what functions are evaluated at")
def _float32_stays(implementation: Implementation) -> None:
    case = cases.case_of_shape(3, 4, dtype=np.float32)
    for name in FLOAT:
        watch = Watch()
        results = diagnosis.flattened(getattr(implementation, name)(case.watched(watch)))
        came = [(f"{name} returned", array.dtype) for array in results]
        came += [(f"in {name}, f was evaluated at", dtype) for dtype in watch.dtypes]
        for where, dtype in came:
            if dtype != np.float32:
                raise Broken(
                    f"{case}, all in float32", f"{where} an array of {dtype}",
                    f"{dtype} takes part: a NumPy scalar, an array, or astype; Python floats keep the dtype",
                )  # fmt: skip


@promise(PROMISES, "inputs", "the arrays and the list that are given stay as they are")
def _inputs_stay(implementation: Implementation) -> None:
    case = cases.case_of_shape(3, 4)
    for name in FLOAT:
        overwritten: list[str] = []
        getattr(implementation, name)(case, overwritten=overwritten)
        promises.require_untouched(case, name, overwritten)


@promise(PROMISES, "running statistics", "statistics move once a layer in forward, and stay in invert and backward")
def _statistics_move_once(implementation: Implementation) -> None:
    passes = {name: getattr(implementation, name) for name in FLOAT}
    promises.require_statistics_moved_once(cases.case_with_statistics(), passes)


@promise(PROMISES, "twice", "backward called twice gives the same, bit for bit")
def _backward_can_be_repeated(implementation: Implementation) -> None:
    case = cases.case_of_shape(3, 4)
    first = _train(implementation, case)
    cause = "backward must depend on its arguments alone: is something kept between calls?"
    try:
        second = implementation.backward(case)
    except Broken as error:
        raise Broken(case, f"the second time, {error.came}", cause) from None
    for one, other in zip(diagnosis.flattened(first), diagnosis.flattened(second), strict=True):
        if not np.array_equal(one, other):
            raise Broken(case, "the second time, gradients differ", cause)


@promise(PROMISES, "memory", "memory does not grow with depth: nothing is stored for each layer")
def _memory_is_constant(implementation: Implementation) -> None:
    promises.require_constant_memory(
        cases.memory_case,
        {
            "forward": lambda case: functools.partial(implementation.forward, case),
            "invert": lambda case: functools.partial(implementation.invert, case, case.final),
            "backward": lambda case: functools.partial(implementation.backward, case, case.final),
        },
    )
