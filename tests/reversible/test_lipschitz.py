"""Spectral norms by iteration, against the singular values of the whole matrix."""

import numpy as np
import pytest
from reversible_support import assert_same_bits, conv_block

from mininet import Tensor, manual_seed, nn
from mininet.reversible import limit_lipschitz, spectral_norm
from mininet.seeding import position

SHARE = 1e-4
"""How far norms from the iteration may be off."""

LAYERS = {
    "linear": (lambda: nn.Linear(7, 7), None),
    "wide linear": (lambda: nn.Linear(3, 11), None),
    "narrow linear": (lambda: nn.Linear(11, 3, bias=False), None),
    "conv": (lambda: nn.Conv2d(3, 3, 3, padding=1), (6, 5)),
    "conv, more channels": (lambda: nn.Conv2d(2, 5, 3, padding=1, bias=False), (5, 6)),
    "conv without padding": (lambda: nn.Conv2d(3, 2, 3), (6, 7)),
    "conv with stride": (lambda: nn.Conv2d(2, 3, 3, stride=2, padding=1), (7, 6)),
    "uneven conv": (lambda: nn.Conv2d(2, 2, (1, 5), stride=(2, 1), padding=(0, 2)), (5, 8)),
    "dilated conv in groups": (lambda: nn.Conv2d(4, 6, (2, 3), padding=1, dilation=(3, 1), groups=2), (5, 4)),
    "pointwise": (lambda: nn.Conv2d(4, 4, 1), (3, 3)),
    "winograd": (lambda: nn.Conv2d(16, 16, 3, padding=1), (4, 6)),
}


def true_norm(layer, size):
    """The largest singular value of the layer's matrix, one column for every unit image."""
    features = layer.weight.shape[-2] * getattr(layer, "groups", 1)
    shape = (features,) if size is None else (*size, features)
    units = np.eye(int(np.prod(shape))).reshape(-1, *shape).astype(layer.weight.dtype)
    outputs = layer(Tensor(units)).data - layer(Tensor(np.zeros_like(units))).data
    return np.linalg.svd(outputs.reshape(len(units), -1).astype(np.float64), compute_uv=False)[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LAYERS)
def test_spectral_norm(name, dtype):
    build, size = LAYERS[name]
    for seed in range(3):
        manual_seed(seed)
        layer = build().to(dtype)
        expected = true_norm(layer, size)
        assert spectral_norm(layer, size) == pytest.approx(expected, rel=SHARE)


@pytest.mark.parametrize(
    ("name", "seed"), [("conv", 20), ("conv, more channels", 65), ("conv without padding", 192), ("winograd", 218)]
)
def test_the_iteration_does_not_stay_at_the_second_largest_stretch(name, seed):
    """In these layers it looks for 6 steps and more as if the norm had been found, a share of 2e-4 to 2e-3 too low."""
    build, size = LAYERS[name]
    manual_seed(seed)
    layer = build()
    assert spectral_norm(layer, size) == pytest.approx(true_norm(layer, size), rel=SHARE)


def linear(weight):
    layer = nn.Linear(*weight.shape, bias=False).to(weight.dtype.type)
    layer.weight.data = weight
    return layer


@pytest.mark.parametrize(("size", "seed"), [(256, 135), (512, 13), (1024, 23), (2**15, 0), (2**15, 7)])
def test_rounding_errors_do_not_add_up_to_a_larger_norm(size, seed):
    """Two stretches that are nearly equal: what is left after two steps is little more than rounding errors."""
    weight = np.sign(np.random.default_rng(seed).standard_normal((2, size))).astype(np.float32)
    expected = np.linalg.norm(weight.astype(np.float64), 2)
    assert spectral_norm(linear(weight)) == pytest.approx(expected, rel=SHARE)


def test_a_large_norm_is_no_reason_to_stop_early():
    weight = np.ones((2, 2**14), np.float32)
    weight[1, ::2] = -1
    weight[0] *= np.float32(1 - 3.684e-4)
    assert spectral_norm(linear(weight)) == pytest.approx(128, rel=SHARE)


def test_a_matrix_made_so_that_the_iteration_stays_at_the_second_largest_stretch_for_11_steps():
    size = 48
    start = np.random.default_rng(0).standard_normal(size)  # where the iteration begins
    others = np.random.default_rng(7).standard_normal((size, size - 1))
    q = np.linalg.qr(np.column_stack([start, others]))[0]
    top = 10**-11.6 * q[:, 0] + q[:, 1]
    q = np.linalg.qr(np.column_stack([top, np.random.default_rng(8).standard_normal((size, size - 1))]))[0]
    weight = (q * [1, 0.9, *np.linspace(0.75, 0, size - 2)]) @ q.T
    assert spectral_norm(linear(weight)) == pytest.approx(1, rel=SHARE)


@pytest.mark.parametrize("scale", [0, 1e-30, 1e-15, 1e15, 1e30])
def test_norms_of_any_size(scale):
    layer = nn.Linear(5, 5)
    expected = spectral_norm(layer)
    layer.weight.data *= np.float32(scale)
    assert spectral_norm(layer) == pytest.approx(expected * scale, rel=1e-5, abs=0)
    limit_lipschitz(layer, 0.9)
    assert np.isfinite(layer.weight.data).all()
    assert spectral_norm(linear(np.array([[-2.0]]))) == 2


@pytest.mark.parametrize("name", ["linear", "uneven conv", "winograd"])
@pytest.mark.parametrize("coefficient", [0.3, 0.9])
def test_norms_are_brought_down_to_the_limit(coefficient, name):
    build, size = LAYERS[name]
    layer = build()
    layer.weight.data *= np.float32(3)
    before, biases = layer.weight.data.copy(), None if layer.bias is None else layer.bias.data.copy()
    array, expected = layer.weight.data, true_norm(layer, size)
    assert expected > coefficient
    assert limit_lipschitz(layer, coefficient, size) == pytest.approx(expected, rel=SHARE)
    assert true_norm(layer, size) == pytest.approx(coefficient, rel=SHARE)
    assert layer.weight.data is array, "in place"
    assert array.dtype == np.float32
    np.testing.assert_allclose(array, before * (coefficient / expected), rtol=2 * SHARE)
    assert biases is None or np.array_equal(layer.bias.data, biases)


@pytest.mark.parametrize("name", ["linear", "conv"])
def test_norms_below_the_limit_stay(name):
    build, size = LAYERS[name]
    layer = build()
    layer.weight.data *= np.float32(0.5 / true_norm(layer, size))
    before = layer.weight.data.copy()
    assert limit_lipschitz(layer, 0.9, size) == pytest.approx(0.5, rel=1e-3)
    assert np.array_equal(layer.weight.data, before)


def test_all_layers_of_a_module_and_nothing_else():
    module = nn.Sequential(conv_block(3), nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()), nn.Linear(3, 3))
    for parameter in module.parameters():
        parameter.data *= np.float32(10)
    before = module.state_dict()
    limit_lipschitz(module, 0.5, size=5)
    layers = {name: layer for name, layer in module.named_modules() if isinstance(layer, (nn.Conv2d, nn.Linear))}
    for name, layer in layers.items():
        size = (5, 5) if isinstance(layer, nn.Conv2d) else None
        assert true_norm(layer, size) == pytest.approx(0.5, rel=1e-3), name
    others = [name for name in before if name.removesuffix(".weight") not in layers]
    assert len(others) == 2 * 4 + 2
    assert_same_bits({name: before[name] for name in others}, {name: module.state_dict()[name] for name in others})


@pytest.mark.parametrize("scales", [(3, 2), (2, 3)])
def test_the_largest_norm_is_returned(scales):
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    for layer, scale in zip(module, scales, strict=True):
        layer.weight.data[...] = scale * np.eye(2)
    assert limit_lipschitz(module, 0.5) == pytest.approx(3, rel=SHARE)


def test_no_layers_and_no_random_numbers():
    manual_seed(5)
    assert limit_lipschitz(nn.Sequential(nn.Tanh())) == 0
    layer = nn.Linear(3, 3)
    before = position()
    limit_lipschitz(layer)
    assert position() == before


def test_what_is_refused_changes_nothing():
    module = nn.Sequential(nn.Linear(2, 2), nn.Conv2d(2, 2, 3))
    module[0].weight.data *= np.float32(10)
    before = module[0].weight.data.copy()
    with pytest.raises(ValueError, match=r"size must be the \(height, width\) of the images that a Conv2d gets"):
        limit_lipschitz(module)
    module[1].weight.data[0, 0] = np.nan
    with pytest.raises(ValueError, match="weights must be finite, got NaN or infinity in 1"):
        limit_lipschitz(module, 0.01, size=5)
    assert np.array_equal(module[0].weight.data, before)


@pytest.mark.parametrize("size", [(2, 5), (5, 2)])
def test_images_smaller_than_the_window(size):
    with pytest.raises(ValueError, match=r"size must be at least that of the window \(3, 3\)"):
        spectral_norm(nn.Conv2d(2, 2, 3), size)
    assert spectral_norm(nn.Conv2d(2, 2, 3, padding=1), size) > 0
    layer = nn.Conv2d(2, 2, 3)  # just as large is large enough: then the convolution is one product
    matrix = layer.weight.data.reshape(-1, 2)
    assert spectral_norm(layer, (3, 3)) == pytest.approx(np.linalg.norm(matrix, 2), rel=SHARE)


def test_weights_that_meet_padding_alone_do_not_count():
    """Of one pixel with a border of one, a window of 3 sees its middle; of 4, it does not fit."""
    layer = nn.Conv2d(1, 1, 3, padding=1)
    layer.weight.data[...] = 1
    layer.weight.data[1, 1] = 0.25
    assert spectral_norm(layer, (1, 1)) == pytest.approx(0.25, rel=SHARE)
    with pytest.raises(ValueError, match=r"size must be at least that of the window \(4, 4\), got \(1, 1\)"):
        spectral_norm(nn.Conv2d(1, 1, 4, padding=1), (1, 1))
