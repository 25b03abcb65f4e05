"""Any sequence of steps forward and back of an exact state, copies among them, against plain integers."""

import hypothesis.strategies as st
import numpy as np
import pytest
from exact_support import step_reference
from examples import stateful
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from strategies import dtypes, gammas, laid_out, layouts, seeds, shapes

from mininet.kernels.exact import FRACTION_BITS, LIMIT, as_fraction
from mininet.kernels.remainders import SPILL_BITS, SpillSchedule
from mininet.reversible import ExactState

UNITS = 2.0**FRACTION_BITS


class Plain:
    """What a state must hold: for each layer passed, Python integers (x, v, b) by element and all spilled bits."""

    def __init__(self, x, v, gamma):
        self.gamma, self.schedule = gamma, SpillSchedule(gamma)
        units = [np.rint(array.astype(np.float64) * UNITS).astype(np.int64).ravel().tolist() for array in (x, v)]
        self.history = [([(x, v, 0) for x, v in zip(*units, strict=True)], [])]
        self.residuals = []

    def step(self, residual):
        """Returns whether it could be done: whether x and v are in range."""
        elements, spilled = self.history[-1]
        for _ in range(self.schedule.spills_before(len(self.residuals))):
            spilled = [*spilled, [b % 2**SPILL_BITS for _, _, b in elements]]
            elements = [(x, v, b >> SPILL_BITS) for x, v, b in elements]
        values = residual.ravel().tolist()
        after = [step_reference(*element, f, self.gamma) for element, f in zip(elements, values, strict=True)]
        if any(max(abs(x), abs(v)) > LIMIT for x, v, _ in after):
            return False
        self.history.append((after, spilled))
        self.residuals.append(residual)
        return True

    def copy(self):
        other = object.__new__(Plain)
        other.__dict__ = self.__dict__ | {"history": list(self.history), "residuals": list(self.residuals)}
        return other


class ExactStateMachine(RuleBasedStateMachine):
    """Several states, copies of one another, each with its plain integers."""

    @initialize(
        gamma=gammas,
        shape=shapes(0, 2, 0, 3),
        dtype=dtypes,
        seed=seeds,
        scale=st.sampled_from([1, 0, 1e5, 1e-9]),
        multiples=st.sampled_from(["1", "d", "n"]),
    )
    def begin(self, gamma, shape, dtype, seed, scale, multiples):
        # a fraction is taken as it is, a float as one with a small denominator
        random, fraction = np.random.default_rng(seed), as_fraction(gamma) if isinstance(gamma, float) else gamma
        x, self.v = (np.asarray(random.standard_normal(shape) * scale, dtype) for _ in range(2))
        if multiples != "1":  # which leave no remainder, unless the division rounds
            unit = fraction.denominator if multiples == "d" else fraction.numerator
            self.v = np.asarray(random.integers(-2000, 2000, shape) * unit / UNITS, dtype)
        self.gamma, self.shape, self.dtype = gamma, shape, dtype
        self.states = [(ExactState(x, gamma), Plain(x, self.v, fraction))]
        self.states[0][0].set_velocity(self.v)
        self.ahead = set()

    def one(self, which):
        return self.states[which % len(self.states)]

    @rule(which=st.integers(0, 2), seed=seeds, layout=layouts, scale=st.sampled_from([1, 0, 1e-13, 1e4]),
          times=st.integers(1, 12))  # fmt: skip
    def step(self, which, seed, layout, scale, times):
        state, plain = self.one(which)
        if id(state) in self.ahead:
            return
        for number in range(times):
            values = np.random.default_rng([seed, number]).standard_normal(self.shape) * scale
            residual = laid_out(np.asarray(values, self.dtype), layout)
            if not plain.step(residual):
                with pytest.raises(OverflowError):
                    state.copy().step(residual)
                return
            state.step(residual)

    @rule(which=st.integers(0, 2), more=st.booleans(), times=st.integers(1, 12))
    def undo(self, which, more, times):
        state, plain = self.one(which)
        for _ in range(min(times, len(plain.residuals))):
            elements, _ = plain.history[-2]
            residual = plain.residuals.pop()
            seen = []

            def function(x, residual=residual, seen=seen):
                seen.append(x.copy())
                return residual

            is_ahead = more and state.layer > 1
            state.undo(function, is_ahead)
            plain.history.pop()
            (self.ahead.add if is_ahead else self.ahead.discard)(id(state))
            (x,) = seen
            units = np.array([x for x, _, _ in elements], np.int64).reshape(self.shape)
            assert np.array_equal(x, (units / UNITS).astype(self.dtype))

    @precondition(lambda self: len(self.states) < 3)
    @rule(which=st.integers(0, 2))
    def copy(self, which):
        state, plain = self.one(which)
        other = state.copy()
        self.states.append((other, plain.copy()))
        if id(state) in self.ahead:
            self.ahead.add(id(other))

    @rule(which=st.integers(0, 2), value=st.sampled_from([np.nan, np.inf, 1e30, -2e7]))
    def too_large(self, which, value):
        """A copy breaks; the state does not."""
        state, _ = self.one(which)
        if id(state) in self.ahead or not state.position.size:
            return
        residual = np.zeros(self.shape, self.dtype)
        residual.flat[-1] = value / (1 - state.gamma)
        with pytest.raises(FloatingPointError if np.isnan(value) else OverflowError):
            state.copy().step(residual)

    @invariant()
    def holds_what_it_must(self):
        for state, plain in getattr(self, "states", ()):
            elements, spilled = plain.history[-1]
            assert state.layer == len(plain.residuals)
            assert state.remainders.packed.ravel().tolist() == [b for _, _, b in elements]
            assert [low.ravel().tolist() for low in state.remainders.spilled] == spilled
            assert state.velocity.ravel().tolist() == [v for _, v, _ in elements]
            if id(state) not in self.ahead:
                assert state.position.ravel().tolist() == [x for x, _, _ in elements]
                assert np.array_equal(state.input(), (state.position / UNITS).astype(self.dtype))

    def teardown(self):
        """Everything comes back to where it began."""
        for which, (state, plain) in enumerate(getattr(self, "states", ())):
            self.undo(which, True, len(plain.residuals))
            assert state.layer == 0
            assert state.can_be_start(self.v)


test_any_way_forward_and_back = stateful(ExactStateMachine, share=2)
