"""Running back: bit for bit in exact arithmetic, as the rule in plain integers; in floats within rounding errors."""

import itertools
import math

import hypothesis.strategies as st
import numpy as np
import pytest
from examples import generated
from hypothesis import assume, event
from reversible_support import CONTRACTION
from strategies import ROWS, laid_out, layouts, network_settings

from mininet import Tensor, manual_seed, nn, no_grad
from mininet.kernels.exact import BUFFER_BITS, FRACTION_BITS, SPILL_BITS, as_fraction, spill_schedule, step_reference

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


def plain_run(net, x, function_of):
    """(x, v, b, spilled bits) after all layers, by the rule for single integers, which cannot overflow."""
    gamma = as_fraction(net.gamma)

    def floats(integers):
        return (integers.astype(np.int64) / UNITS).astype(x.dtype)

    positions = in_units(x).astype(object)
    velocities = in_units(function_of(-1, floats(positions))).astype(object) if net.init_velocity else 0 * positions
    buffers, spilled = 0 * positions, []
    for layer in range(len(net.functions)):
        for _ in range(spill_schedule(gamma).spills_before(layer)):
            spilled.append(buffers % 2**SPILL_BITS)
            buffers = buffers // 2**SPILL_BITS
        value = function_of(layer, floats(positions))
        for place in np.ndindex(x.shape):
            positions[place], velocities[place], buffers[place] = step_reference(
                positions[place], velocities[place], buffers[place], value[place], gamma
            )
        assert all(0 <= b < 2**BUFFER_BITS for b in buffers.flat)
    return positions, velocities, buffers, spilled


@generated(12, setting=network_settings(), data=st.data())
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
    assert not state.buffer.any()
    assert state.spilled == []
    assert x0.dtype == v0.dtype == setting.dtype
    assert np.array_equal(x0, (start / UNITS).astype(setting.dtype))
    assert np.array_equal(v0, (state.velocity / UNITS).astype(setting.dtype))


@generated(3, setting=network_settings())
def test_exact_arithmetic_comes_back_in_every_layer(setting):
    net, x, inputs = setting.net("exact", "stored"), setting.x, setting.inputs
    buffers = [array.copy() for _, array in net.named_buffers()]
    try:
        report = net.check_inversion(x, *inputs)
    except OverflowError:
        event("left the range")
        return
    assert report.is_exact
    assert report.position_units.shape == report.velocity_units.shape == (setting.depth + 1,)
    assert all(np.array_equal(a, b) for a, (_, b) in zip(buffers, net.named_buffers(), strict=True))


@generated(6, setting=network_settings(blocks=("linear", "tanh MLP", "no parameters"), training=(False,)))
def test_exact_arithmetic_is_the_rule_in_python_integers(setting):
    net, x, inputs = setting.net("exact", "reversible"), setting.x, setting.inputs
    state = run(net, x, *inputs)
    if state is None:
        return

    def function_of(layer, x):
        function = net.init_velocity if layer < 0 else net.functions[layer]
        with no_grad():
            value = function(Tensor(x))
            return value.data if layer < 0 or net.is_residual else (value - Tensor(x)).data

    positions, velocities, buffers, spilled = plain_run(net, x, function_of)
    assert np.array_equal(state.position, positions)
    assert np.array_equal(state.velocity, velocities)
    assert np.array_equal(state.buffer, buffers)
    assert len(state.spilled) == len(spilled)
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(state.spilled, spilled, strict=True))


@generated(3, setting=network_settings(blocks=ROWS.keys() - {"two inputs"}))
def test_coupled_streams_come_back_bit_for_bit(setting):
    assume(setting.shape[-1] % 2 == 0)
    net, x = setting.net("exact", "reversible", kind="RevNet"), setting.x
    state = run(net, x)
    if state is not None:
        net.invert(state)
        found = np.concatenate([state.first, state.second], axis=-1)
        assert np.array_equal(found, in_units(x))


# Floats


def slope(function, dtype=np.float64):
    """A Lipschitz constant in the largest |x|; of dropout for the mask that lets everything pass."""
    if isinstance(function, nn.Sequential):
        return math.prod(slope(layer) for layer in function)
    if isinstance(function, nn.Linear):
        return float(np.abs(function.weight.data.astype(np.float64)).sum(axis=0).max())
    if isinstance(function, nn.Conv2d):
        return float(np.abs(function.weight.data.astype(np.float64)).sum(axis=(0, 1, 2)).max())
    if isinstance(function, nn.BatchNorm2d):  # in evaluation
        scale = function.weight.data / np.sqrt(function.running_var.astype(np.float64) + function.eps)
        return float(np.abs(scale).max())
    if isinstance(function, nn.Dropout):
        return 1 / (1 - function.p)
    return 1.0  # ReLU, tanh, and tanh / 2


def rounding_of(function, largest, u):
    """(how far the value may be off, how large it is) for |x| up to `largest`; u is half an epsilon.

    A sum of K products and a bias: K + 1 roundings of what is at most slope * largest + |bias| (Winograd's method is
    not used for channels this few); normalisation, tanh and dropout have up to 8.  Errors made before are stretched.
    """
    if isinstance(function, nn.Sequential):
        error = 0.0
        for layer in function:
            off, size = rounding_of(layer, largest, u)
            error, largest = slope(layer) * error + off, size
        return error, largest
    terms, shift = 8, 0.0
    if isinstance(function, (nn.Linear, nn.Conv2d)):
        terms = math.prod(function.weight.shape[:-1]) + 1
        shift = 0.0 if function.bias is None else float(np.abs(function.bias.data).max())
    if isinstance(function, nn.BatchNorm2d):
        shift = float(np.abs(function.running_mean).max() * slope(function) + np.abs(function.bias.data).max())
    size = slope(function) * largest + shift
    return terms * u * size, size


def float_settings(blocks, **settings):
    # what is divided by gamma in every layer is lost soon: then there is nothing to be seen
    return network_settings(
        blocks=blocks, gammas=st.floats(0.3, 0.999) | st.sampled_from([0.5, 0.9]), scales=(1.0,), **settings
    )


def momentum_bound(net, x, inputs):
    """How far (x_0, v_0) may be off, as largest elements, by the errors of every inverse step on this very trajectory.

    With e_n, d_n the errors of x_n, v_n and u half an epsilon: x_{n+1} was rounded once when it was made and x_n is
    rounded once now, v_{n+1} three times when it was made and v_n three times now, before it is divided; f is off by
    its own rounding errors, then and now, and by its slope times e_n:

        e_n = e_{n+1} + d_{n+1} + u (|x_{n+1}| + |x_n|)
        d_n = (d_{n+1} + (1 - gamma) (L e_n + 2 off) + 4 u (|v_{n+1}| + |gamma v_n| + (1 - gamma) |f|)) / gamma
              + 2 u |v_n|

    What is read off the trajectory, |x_n| and |v_n|, is made larger by the errors themselves.
    """
    u = np.finfo(x.dtype).eps / 2
    positions = net.trajectory(x, *inputs).astype(np.float64)
    sizes = [float(np.abs(position).max(initial=0)) for position in positions]
    steps = [0.0] + [float(np.abs(b - a).max(initial=0)) for a, b in itertools.pairwise(positions)]
    if net.init_velocity:
        steps[0] = rounding_of(net.init_velocity, sizes[0], u)[1]
    e = d = 0.0
    for n in reversed(range(len(net.functions))):
        # velocities, as differences of positions, are off by two roundings of these
        v_next, v = (steps[m] + 2 * u * (sizes[m] + sizes[max(m - 1, 0)]) for m in (n + 1, n))
        e = e + d + 2 * u * (sizes[n + 1] + sizes[n] + e + d)
        off, size = rounding_of(net.functions[n], sizes[n] + e, u)
        stretch = slope(net.functions[n])
        if not net.is_residual:
            stretch, off, size = stretch + 1, off + u * (size + sizes[n] + e), size + sizes[n] + e
        take = 1 - net.gamma
        made_and_now = 4 * u * (v_next + d + net.gamma * v + take * size)
        d = (d + take * (stretch * e + 2 * off) + made_and_now) / net.gamma * (1 + 4 * u) + 2 * u * v
    return e, d


@generated(8, setting=float_settings(("linear", "tanh MLP", "no parameters", "dropout", "conv, batch norm"),
                                      training=(False,), most_layers=20))  # fmt: skip
def test_floats_come_back_within_the_growth_of_rounding_errors(setting):
    net, x, inputs = setting.net("float", "reversible"), setting.x, setting.inputs
    bounds = momentum_bound(net, x, inputs)
    assume(max(bounds) < 1)  # beyond, nothing is known
    state = run(net, x, *inputs)
    start = 0
    if net.init_velocity:
        with no_grad():
            start = net.init_velocity(Tensor(np.array(x))).data.astype(np.float64)
    for found, true, bound in zip(net.invert(state, *inputs), (x.astype(np.float64), start), bounds, strict=True):
        assert found.dtype == setting.dtype
        assert np.abs(found - true).max(initial=0) <= bound
    event(f"bound below 1e{math.ceil(math.log10(max(*bounds, 1e-20)))}")


@generated(3, setting=float_settings(("linear", "tanh MLP", "no parameters"), training=(False,), most_layers=12))
def test_coupled_streams_of_floats_come_back_within_rounding_errors(setting):
    """With e_n the error of both streams: b is the other one's, a = b' - f(b) is rounded now and was rounded then."""
    assume(setting.shape[-1] % 2 == 0)
    net, x = setting.net("float", "reversible", kind="RevNet"), setting.x
    u = np.finfo(x.dtype).eps / 2
    sizes = [float(np.abs(position).max(initial=0)) for position in net.trajectory(x).astype(np.float64)]
    e = 0.0
    for n in reversed(range(setting.depth)):
        size_now = sizes[n] + e
        off, size = rounding_of(net.functions[n], size_now, u)
        stretch = slope(net.functions[n])
        if not net.is_residual:
            stretch, off, size = stretch + 1, off + u * (size + size_now), size + size_now
        e = e + stretch * e + 2 * off + 2 * u * (sizes[n + 1] + size_now + size)
    assume(e < 1)
    assert np.abs(net.invert(run(net, x)) - x.astype(np.float64)).max(initial=0) <= e


@generated(3, setting=float_settings(("linear", "tanh MLP"), training=(False,), most_layers=8))
def test_contractions_come_back_within_their_tolerance(setting):
    """Where the iteration stops, a step is below its tolerance, and x is c / (1 - c) times that from the fixed point.

    c is in the norm of a row, which is at most sqrt(features) times the largest element.  Rounding errors of f and of
    the differences, and the error of y, move the fixed point by 1 / (1 - c) times as much.
    """
    net, x = setting.net("float", "reversible", kind="IResNet"), setting.x
    c = CONTRACTION * (1 + 1e-3)  # norms are found to 1e-4
    features, eps = setting.shape[-1], float(np.finfo(x.dtype).eps)
    sizes = [float(np.abs(position).max(initial=0)) for position in net.trajectory(x).astype(np.float64)]
    e = 0.0
    for n in reversed(range(setting.depth)):
        size_now = 2 * (sizes[n + 1] + sizes[n] + e)
        off, size = rounding_of(net.functions[n], size_now, eps / 2)
        step = 64 * eps * (size_now + size)
        e = math.sqrt(features) * (c * step + 2 * off + 2 * eps * (size_now + size) + e) / (1 - c)
    assume(e < 1)
    assert np.abs(net.invert(run(net, x)) - x.astype(np.float64)).max(initial=0) <= e


@pytest.mark.parametrize("arithmetic", ["exact", "float"])
@generated(2, setting=network_settings(), data=st.data())
def test_memory_order_of_x_changes_no_bit_of_the_state(arithmetic, setting, data):
    net = setting.net(arithmetic, "stored")
    layouts_ = [data.draw(layouts) for _ in setting.inputs]
    one = run(net, np.ascontiguousarray(setting.x), *map(np.ascontiguousarray, setting.inputs))
    inputs = [laid_out(array, layout) for array, layout in zip(setting.inputs, layouts_, strict=True)]
    other = run(setting.net(arithmetic, "stored"), setting.x, *inputs)
    assert (one is None) == (other is None)
    if one is not None:
        assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one.arrays(), other.arrays(), strict=True))
