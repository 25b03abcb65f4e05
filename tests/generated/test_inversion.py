"""Running back: bit for bit in exact arithmetic; what `test_exact_state` compares with plain integers."""

import math

import hypothesis.strategies as st
import numpy as np
from examples import generated
from hypothesis import event
from strategies import network_settings

from mininet import Tensor, manual_seed, no_grad, track_memory
from mininet.kernels.exact import FRACTION_BITS, as_fraction
from mininet.kernels.remainders import SPILL_BITS, WORD_BITS

UNITS = 2.0**FRACTION_BITS


def in_units(array):
    return np.rint(array.astype(np.float64) * UNITS).astype(np.int64)


def run(net, x, *inputs, seed=3):
    """The final state; None where x or v leave the range of exact arithmetic."""
    manual_seed(seed)
    try:
        return net.run(x, *inputs)
    except OverflowError:
        event("left the range")
        return None


@generated(8, setting=network_settings(), data=st.data())
def test_exact_arithmetic_comes_back_bit_for_bit(setting, data):
    net, x, inputs = setting.net("exact", "reversible"), setting.x, setting.inputs
    start = in_units(x)
    state = run(net, x, *inputs)
    if state is None:
        return
    velocity = 0
    if net.init_velocity:
        manual_seed(3)
        with no_grad():
            rounded = (start / UNITS).astype(setting.dtype)  # what the functions see of x_0
            velocity = in_units(net.init_velocity(Tensor(rounded)).data)
    net.train(data.draw(st.booleans(), label="training on the way back"))  # as it was on the way there, whatever it is
    x0, v0 = net.invert(state, *inputs)
    assert np.array_equal(state.position, start)
    assert np.array_equal(state.velocity, np.broadcast_to(velocity, start.shape))
    assert not state.remainders.packed.any()
    assert state.remainders.spilled == []
    assert x0.dtype == v0.dtype == setting.dtype
    assert np.array_equal(x0, (start / UNITS).astype(setting.dtype))
    assert np.array_equal(v0, (state.velocity / UNITS).astype(setting.dtype))


@generated(5, setting=network_settings())
def test_side_information_is_a_word_for_each_element_and_what_gamma_destroys(setting):
    net, size, gamma = setting.net("exact", "reversible"), math.prod(setting.shape), as_fraction(setting.gamma)
    with track_memory() as memory:
        state = run(net, setting.x, *setting.inputs)
    if state is None:
        return
    held = state.remainders.packed.nbytes + sum(low.nbytes for low in state.remainders.spilled)
    assert memory.by_kind["side information"] == memory.current_by_kind["side information"] == held
    lost = setting.depth * (math.log2(gamma.denominator) - math.log2(gamma.numerator))
    assert 8 * held <= (lost + WORD_BITS) * size
    assert state.remainders.packed.itemsize * 8 == WORD_BITS
    assert all(low.itemsize * 8 == SPILL_BITS and low.shape == setting.shape for low in state.remainders.spilled)
