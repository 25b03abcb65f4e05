"""tanh, exp and sigmoid of float32: within 2 units in the last place of float64's values, alike wherever they stand."""

import numpy as np
import pytest

from mininet.kernels import transcendental

EXACT = {"tanh": np.tanh, "exp": np.exp, "sigmoid": lambda x: np.exp(-np.logaddexp(0, -x))}


@pytest.fixture(scope="module")
@np.errstate(invalid="ignore")
def values():
    """Floats of all sizes, of every exponent, and what stands at the ends."""
    random = np.random.default_rng(0)
    near = [random.standard_normal(20_000) * scale for scale in (0.01, 1, 5, 40)]
    anywhere = random.integers(0, 2**32, 50_000, dtype=np.uint32).view(np.float32)
    ends = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 0.625, 9.1, 88.72284, 88.8, -87.4, -103.9, -104.1]
    return np.concatenate([*near, anywhere, ends]).astype(np.float32)


@pytest.mark.parametrize("name", EXACT)
@np.errstate(all="ignore")
def test_values(name, values):
    found, exact = getattr(transcendental, name)(values), EXACT[name](values.astype(np.float64))
    rounded = exact.astype(np.float32)
    is_finite = np.isfinite(rounded)
    assert np.array_equal(found[~is_finite], rounded[~is_finite], equal_nan=True)
    units = np.abs(found - exact)[is_finite] / np.spacing(np.abs(rounded[is_finite]))
    assert units.max() <= 2
    if name == "tanh":
        assert np.array_equal(np.signbit(found), np.signbit(values))


@pytest.mark.parametrize("name", EXACT)
def test_an_element_does_not_depend_on_its_place(name, values):
    function = getattr(transcendental, name)
    whole = function(values)
    for first in (1, 7, len(values) - 14):
        part = function(values[first : first + 1000])
        assert np.array_equal(part.view(np.int32), whole[first : first + 1000].view(np.int32))
