"""The number of threads changes no bit: of a training step, of an operation."""

import contextlib
import unittest.mock

import hypothesis.strategies as st
import numpy as np
import pytest
from call_strategies import OPERATIONS
from examples import generated
from hypothesis import event
from reversible_support import assert_same_bits, train_step
from strategies import dtypes, network_settings
from support import normal

from mininet import Tensor, get_num_threads, set_num_threads
from mininet.kernels import buffers, elementwise, gelu, layer_norm, matrix, normalization, patches, pooling, threads

WORTH_SHARING = {
    (elementwise, "ELEMENTS_WORTH_SHARING"): 2,
    (gelu, "ELEMENTS_WORTH_SHARING"): 2,
    (layer_norm, "ELEMENTS_WORTH_SHARING"): 2,
    (normalization, "ELEMENTS_WORTH_SHARING"): 2,
    (normalization, "GROUPS_WORTH_SHARING"): 1,
    (pooling, "ELEMENTS_WORTH_SHARING"): 2,
    (threads, "ELEMENTS_WORTH_SHARING"): 2,
    (threads, "OPERATIONS_PER_SHARE"): 2,
    (buffers, "SMALLEST"): 2,
}
"""From what size on work is shared, which is no part of what is computed."""

PIECES = {
    (matrix, "OPERATIONS_PER_PIECE"): 64,
    (matrix, "FEWEST_ROWS"): 16,
    (patches, "PATCH_BYTES"): 256,
    (normalization, "ELEMENTS_PER_GROUP"): 8,
}
"""How work is cut into pieces, which are part of what is computed: the same for all numbers of threads."""


@contextlib.contextmanager
def set_to(settings):
    with contextlib.ExitStack() as stack:
        for (module, name), value in settings.items():
            stack.enter_context(unittest.mock.patch.object(module, name, value))
        yield


@contextlib.contextmanager
def on_threads(count):
    """As many threads, which share even the smallest arrays; yields a list of the numbers of shares handed over."""
    before, handed_over, hand_over = get_num_threads(), [], threads._hand_over

    def noting(shares):
        handed_over.append(len(shares))
        return hand_over(shares)

    set_num_threads(count)
    try:
        with set_to(WORTH_SHARING), unittest.mock.patch.object(threads, "_hand_over", noting):
            yield handed_over
    finally:
        set_num_threads(before)
        buffers.clear()


def everywhere(compute):
    """What `compute` gives on one thread, as usual, and on 2 and 3, which share everything."""
    with set_to(PIECES):
        before = get_num_threads()
        set_num_threads(1)
        try:
            yield compute()
        finally:
            set_num_threads(before)
        for count in (2, 3):
            with on_threads(count) as handed_over:
                found = compute()
            event(f"work handed to {max(handed_over, default=0)} other threads")
            assert max(handed_over, default=0) < count
            yield found


@pytest.mark.parametrize("arithmetic", ["exact", "float"])
@generated(2, setting=network_settings(most_layers=6, scales=(1.0,)), way=st.sampled_from(["reversible", "stored"]))
def test_a_training_step(arithmetic, way, setting):
    def compute():
        return train_step(setting.net(arithmetic, way), setting.x, *setting.inputs)

    one, two, three = everywhere(compute)
    assert_same_bits(two, one)
    assert_same_bits(three, one)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@generated(0.4, data=st.data(), dtype=dtypes)
def test_operation(name, data, dtype):
    call = data.draw(OPERATIONS[name], label="call")

    def compute():
        tensors = [Tensor(array.astype(dtype), requires_grad=True) for array in call.arrays]
        output = call.function(*tensors)
        output.backward(normal(output.shape, dtype))
        return {"out": output.data} | {str(i): tensor.grad for i, tensor in enumerate(tensors)}

    one, two, three = everywhere(compute)
    assert_same_bits(two, one)
    assert_same_bits(three, one)


def test_the_settings_make_threads_share_small_arrays():
    """Else all of the above would prove nothing."""
    with on_threads(2) as handed_over:
        _ = Tensor(np.ones(64, np.float32)) + Tensor(np.ones(64, np.float32))
    assert handed_over == [1]
