"""What `tests/generated/test_operations.py` cannot say about dropout; what it refuses is in `tests/misuse`."""

import numpy as np

from mininet import Tensor, manual_seed, seeding
from mininet import functional as F


def test_every_call_of_dropout_draws_anew():
    x = np.ones((50, 40))
    assert not np.array_equal(F.dropout(x, 0.25).data, F.dropout(x, 0.25).data)


def test_dropout_saves_no_array():
    x = Tensor(np.ones(1000), requires_grad=True)
    assert F.dropout(x, 0.5).saved_bytes == 0


def test_dropout_without_effect_returns_its_input_and_draws_nothing():
    x = Tensor(np.ones(3))
    before = seeding.position()
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0) is x
    assert seeding.position() == before


def test_dropout_keeps_what_draws_the_very_number_p():
    manual_seed(0)
    p = float(seeding.generator_for(*seeding.position()).random(1, dtype=np.float32)[0])
    assert F.dropout(np.ones(1, np.float32), p).data == np.float32(1 / (1 - p))
