"""What `tests/generated/test_operations.py` cannot say about dropout; what it refuses is in `tests/misuse`."""

import numpy as np
from support import DTYPES

from mininet import Tensor, manual_seed, seeding
from mininet import functional as F


def test_dropout_draws_its_mask_again_on_the_way_back():
    manual_seed(1)
    x = Tensor(np.ones((50, 40)), requires_grad=True)
    y = F.dropout(x, 0.25)
    z = F.dropout(x, 0.25)
    y.sum().backward()
    assert np.array_equal(x.grad, y.data)
    assert not np.array_equal(y.data, z.data)
    assert set(np.unique(y.data)) == {0, 1 / (1 - 0.25)}
    # 2000 draws: the standard deviation of the share is 0.0097
    assert abs((y.data == 0).mean() - 0.25) < 5 * 0.0097
    manual_seed(1)
    assert np.array_equal(F.dropout(x, 0.25).data, y.data)


def test_dropout_saves_no_array():
    x = Tensor(np.ones(1000), requires_grad=True)
    assert F.dropout(x, 0.5).saved_bytes == 0


def test_dropout_without_effect_returns_its_input_and_draws_nothing():
    x = Tensor(np.ones(3))
    before = seeding.position()
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0) is x
    assert seeding.position() == before


def test_masks_do_not_depend_on_the_dtype():
    masks = []
    for dtype in DTYPES:
        manual_seed(1)
        masks.append(F.dropout(np.ones(500, dtype), 0.5).data != 0)
    assert np.array_equal(*masks)


def test_dropout_keeps_what_draws_the_very_number_p():
    manual_seed(0)
    p = float(seeding.generator_for(*seeding.position()).random(1, dtype=np.float32)[0])
    assert F.dropout(np.ones(1, np.float32), p).data == np.float32(1 / (1 - p))
