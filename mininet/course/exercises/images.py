"""Exercises of notebook 11, Real images."""

import numpy as np

from ...autodiff import Tensor
from ...autodiff import functional as F
from ...experiments.memory import image_memory
from ...memory import track_memory
from ...models import CifarResNet
from ...models.resnet import Bottleneck
from ...reversible import MomentumNet
from ..checking import NotYet, require, returned


def exercise_1(kept_by_bottleneck):
    """What a bottleneck block keeps, as the difference of two chains of them."""
    for images, height, width, w in ((4, 8, 8, 16), (2, 16, 8, 4)):
        answer = returned(kept_by_bottleneck(images, height, width, w), "kept_by_bottleneck")
        x = np.random.default_rng(0).standard_normal((images, height, width, 4 * w), dtype=np.float32)
        measured = _kept(x, w, 3) - _kept(x, w, 2)
        pixels = images * height * width
        numbers, said = measured / (4 * pixels * w), float(answer) / (4 * pixels * w)
        case = f"{images} images of {height}x{width}, w = {w}"
        print(f"{case}: measured {measured:,} bytes, you said {float(answer):,.0f}")
        # the norms keep a mean and a deviation per channel, 2 (w + w + 4 w) numbers
        why = (
            "four arrays have w channels, two have 4 w (behind the last convolution and the block), of 4 bytes a number"
        )
        if not abs(float(answer) - measured) <= 4 * 2 * 6 * w:
            raise NotYet(f"measured are {numbers:.2f} w numbers a pixel, you said {said:.2f} w: {why}")


def _kept(x, w, blocks):
    """Bytes on the tape after so many bottlenecks."""
    chain = [Bottleneck(4 * w, w) for _ in range(blocks)]
    with track_memory() as memory:
        y = Tensor(x, requires_grad=True)
        for block in chain:
            y = block(y)
        kept = memory.current_by_kind["activations"]
        F.sum(y).backward()
    return kept


def exercise_2(layers_needed):
    """The depth from which on the mean weight of a layer is at least a given share."""
    for gamma, share in ((0.9, 0.8), (0.5, 0.6), (0.1, 0.95), (0.9, 0.15)):
        answer = returned(layers_needed(gamma, share), "layers_needed")
        require(answer == int(answer) and answer >= 1, f"a number of layers is a whole number from 1 on, not {answer}")
        depth = int(answer)
        require(depth <= 10_000, f"{depth:,} layers are too many for gamma = {gamma} and a share of {share}")
        here, before = _mean_weight(depth, gamma), _mean_weight(depth - 1, gamma)
        one_less = f", one less {before:.4f}" * (depth > 1)
        print(f"gamma = {gamma}, share {share}: {depth} layers give {here:.4f}{one_less}")
        require(here >= share, f"with {depth} layers the mean weight is {here:.4f} only, below {share}")
        require(before < share, f"{depth - 1} layers would do: their mean weight is {before:.4f}")


def _mean_weight(depth, gamma):
    """How far a network whose functions are all 1 comes, divided by the number of its layers."""
    if depth == 0:
        return 0.0
    net = MomentumNet([lambda x: 0 * x + 1] * depth, gamma, arithmetic="float")
    return float(net.run(np.zeros(1)).position[0]) / depth


def exercise_3(largest_batch):
    """How many images fit, from a few small measurements."""
    for method, budget in (("stored", 24 * 2**20), ("exact", 24 * 2**20), ("stored", 2**19)):
        tried = []

        def peak_bytes(images, method=method, tried=tried):
            require(images == int(images) and images >= 1, f"peak_bytes needs a whole number from 1 on, not {images}")
            require(images <= 16, f"peak_bytes was asked for {images} images: at most 16 are allowed")
            tried.append(int(images))
            require(len(tried) <= 3, "peak_bytes was called more than three times")
            return _peak(method, int(images))

        answer = returned(largest_batch(peak_bytes, budget), "largest_batch")
        require(answer == int(answer) and answer >= 0, f"a number of images is a whole number from 0 on, not {answer}")
        first, last = _peak(method, 2), _peak(method, 16)
        right = max(0, int((budget - (first - 2 * (last - first) / 14)) // ((last - first) / 14)))
        print(f"{method}, {budget / 2**20:g} MiB: {int(answer)} images, from measurements with {tried}")
        # the peak is not quite linear in the batch: within a tenth, whichever sizes were measured
        why = "the peak is a constant (parameters and so on) plus so many bytes an image: measure far apart"
        require(abs(answer - right) <= 0.1 * right, f"with 2 and 16 images measured, {right} fit: {why}")


def _peak(method, images):
    return image_memory.measure(lambda: CifarResNet(4, width=8), method, images, 16).peak_bytes
