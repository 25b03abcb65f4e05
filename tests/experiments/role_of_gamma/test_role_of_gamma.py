"""The role of gamma: paths and bits in closed form, verdicts that can fail, the figure's content."""

import dataclasses
import math

import numpy as np
import pytest
from support import verdicts

from mininet.experiments.role_of_gamma import role_of_gamma
from mininet.experiments.role_of_gamma.gamma_exchange import Exchange
from mininet.experiments.role_of_gamma.role_of_gamma import NEAR_ONE, Theory, paths

GAMMAS = (0.0, 0.5, 0.9)


def test_paths():
    """The first step is (1 - gamma) f(x_0); gamma = 0 multiplies by 1 + f's complex factor, here 0.9 -+ 0.07 i."""
    found = paths((0.0, 0.5), layers=7)
    factor = (found[0.0][1] - found[0.0][0]) @ [1, 1j]
    assert abs(1 + factor) < 1
    powers = (1 + factor) ** np.arange(8)
    np.testing.assert_allclose(found[0.0] @ [1, 1j], powers, atol=1e-14)
    x, v = 1.0, 0.0
    for position in found[0.5] @ [1, 1j]:
        assert position == pytest.approx(x, abs=1e-14)
        v = 0.5 * v + 0.5 * factor * x
        x = x + v


@pytest.fixture(scope="module")
def theory():
    gammas = (0.5, 0.9)
    return Theory(
        bits_at_zero={"output": 0, "gradient by x": 0},
        gammas=gammas,
        determinants=np.array(gammas) ** 6,
        kept=np.log2(1 / np.array(gammas)),
        rescaled=3 * (1 - NEAR_ONE),
        as_written=1 - NEAR_ONE,
    )


def test_theory_can_fail(theory):
    def holds(**changed):
        return verdicts(role_of_gamma.theory_claims(dataclasses.replace(theory, **changed)))

    assert holds() == [True] * 4
    assert holds(bits_at_zero={"output": 0, "gradient by x": 1}) == [False, True, True, True]
    assert holds(determinants=1.0001 * theory.determinants) == [True, False, True, True]
    assert holds(rescaled=theory.rescaled**2) == [True, True, False, True]
    assert holds(kept=theory.kept * [1, 1.03]) == [True, True, True, False]
    assert holds(kept=theory.kept * [1, math.nan]) == [True, True, True, False]


def exchange(worst=0.9, drift=(1e-3, 1e-6)):
    """Networks trained with gamma reach 95 %, exchanged ones 40 %, after a refit 94 % but for one pair's `worst`."""
    before = np.full((2, 3, 3), 0.4)
    before[:, range(3), range(3)] = 0.95
    after = np.full((2, 3, 3), 0.94)
    after[:, 2, 0] = worst
    return Exchange(GAMMAS, before, after, {0.5: np.full((2, 4), drift[0]), 0.9: np.full((2, 4), drift[1])})


def test_exchange_can_fail():
    assert verdicts(role_of_gamma.exchange_claims(exchange(0.935))) == [True, True]
    assert verdicts(role_of_gamma.exchange_claims(exchange(0.925))) == [True, False]
    assert "2.50 points less, from γ = 0.9 to 0; 1 of 9" in role_of_gamma.exchange_claims(exchange(0.925))[1].evidence
    same = exchange(0.935)
    same.before[:, 0, 1] = 0.95
    assert verdicts(role_of_gamma.exchange_claims(same)) == [False, True]


def test_drift_can_fail():
    assert role_of_gamma.drift_claim(exchange(drift=(1e-3, 1e-6))).holds
    assert not role_of_gamma.drift_claim(exchange(drift=(1e-6, 1e-3))).holds
    assert not role_of_gamma.drift_claim(exchange(drift=(1e-6, 1e-6))).holds


def test_table():
    lines = role_of_gamma.table(exchange()).splitlines()
    assert lines[1].split() == ["0", "0.5", "0.9"]
    assert lines[2].split() == ["0", "95.0", "40.0", "40.0"]
    assert lines[9].split() == ["0.9", "90.0", "94.0", "94.0"]
