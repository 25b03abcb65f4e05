"""The bounds that results are held to: wide enough for rounding errors, and far too narrow for mistakes."""

import numpy as np
import pytest

from mininet.grader import cases, reference

FLOATS = [*cases.small_cases(), *cases.large_cases(), *cases.tied_cases()]


@pytest.mark.parametrize("case", FLOATS, ids=str)
def test_bounds_are_narrow(case):
    assert cases.rounding(case, back=False) < 1e-11 * case.size
    assert cases.rounding(case) < 1e-5 * case.size
    assert cases.gradient_rounding(case) < 1e-4


@pytest.mark.parametrize("case", FLOATS, ids=str)
def test_single_precision_stays_within_the_bound_of_single_precision(case):
    """The bound is in proportion to machine epsilon; in float32 there is something to be seen of it."""
    single = in_float32(case)
    (x, v), (right_x, right_v) = single.final, case.final
    errors = [np.abs(x - right_x), np.abs(v - right_v)]
    assert max(error.max(initial=0) for error in errors) <= cases.rounding(single, back=False)
    back = reference.run_back(single.functions, single.gamma, x, v)
    assert all((np.abs(a - b) <= cases.rounding(single)).all() for a, b in zip(back, (case.x, case.v), strict=True))


def in_float32(case):
    functions = {f: type(f)(*(theta.astype(np.float32) for theta in f.parameters)) for f in case.functions}
    arrays = (array.astype(np.float32) for array in (case.x, case.v, case.dx))
    return cases.Case([functions[f] for f in case.functions], *arrays, gamma=case.gamma)


def test_the_deep_case_drifts_as_computed():
    case = cases.deep_case()
    x, v = reference.run_back(case.functions, case.gamma, *case.final)
    error = max(abs(x - case.x).max(), abs(v - case.v).max())
    bound = cases.deep_rounding(case, back=True)
    assert 0 < error < bound < 1e-9
    assert cases.deep_rounding(case) < bound


@pytest.mark.parametrize("case", cases.small_exact_cases(), ids=str)
def test_integers_stay_within_their_units(case):
    came, right = reference.run_exact(case.functions, case.n, case.d, case.x, case.v), case.in_floats().final
    for ours, theirs in zip(came[:2], right, strict=True):
        assert np.abs(ours - theirs / reference.UNIT).max() <= cases.units_off(case) <= 1000


def test_examples_in_words():
    texts = [str(case) for case in cases.small_cases()]
    assert texts[2] == "2 layers, f_0(x) = -0.5 x, f_1(x) = 0.25 x, gamma = 0.9, x_0 = [1], v_0 = [0.25]"
    assert texts[4] == "no layers, gamma = 0.9, x_0 = [1], v_0 = [0.25]"
    assert str(cases.tied_cases()[0]).startswith("2 layers, f(x) = -0.5 x, ")
    assert str(cases.case_of_shape(0, 4)).endswith("x_0 of shape (0, 4), v_0 of shape (0, 4)")
    assert str(cases.small_exact_cases()[3]).endswith("x_0 = [2^40], v_0 = [2^38] (units of 2^-40)")
    assert [cases.number(each) for each in (-7, 3 * 2**40, 0.1 + 0.2)] == ["-7", "3 * 2^40", "0.3"]
