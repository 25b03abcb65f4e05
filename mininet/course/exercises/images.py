"""Exercises of notebook 11, Real images."""

import numpy as np

from ...autodiff import Tensor
from ...autodiff import functional as F
from ...experiments.memory import image_memory
from ...memory import track_memory
from ...models import CifarResNet
from ...models.resnet import Bottleneck
from ...reversible import MomentumNet
from ..checking import NotYet, expect, require, returned


def exercise_1(parameter_count):
    """Parameters of CIFAR ResNets."""
    for blocks, width in ((3, 16), (1, 16), (2, 8), (18, 16)):
        sizes = {"convolutions": 0, "classifier": 0, "norms": 0}
        for name, parameter in CifarResNet(blocks, width=width).named_parameters():
            part = "classifier" if "linear" in name else "convolutions" if parameter.ndim == 4 else "norms"
            sizes[part] += parameter.data.size
        answer, right = parameter_count(blocks, width), sum(sizes.values())
        if answer is not None and not np.array_equal(answer, right):
            print("right are " + ", ".join(f"{size:,} in the {part}" for part, size in sizes.items()))
        expect(f"{blocks} blocks a stage, width {width}", answer, right)


def exercise_2(kept_by_bottleneck):
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


def exercise_3(undo_stage):
    """All positions of a momentum stage of whole maps, from its end."""
    random = np.random.default_rng(1)
    matrices = random.standard_normal((3, 4, 4)) / 2
    blocks = [lambda x, matrix=matrix: np.maximum(x + np.tanh(x @ matrix), 0) for matrix in matrices]
    x0 = np.abs(random.standard_normal((5, 4)))
    for count, gamma in ((1, 0.5), (3, 0.5), (3, 0.9)):
        x, v = x0, np.zeros_like(x0)
        passed = [x]
        for block in blocks[:count]:
            v = gamma * v + (1 - gamma) * (block(x) - x)
            x = x + v
            passed.append(x)
        x_end, v_end = x.copy(), v.copy()
        answer = returned(undo_stage(list(blocks[:count]), gamma, x_end, v_end), "undo_stage")
        if not isinstance(answer, list) or len(answer) != count + 1:
            raise NotYet(f"undo_stage should return a list of N + 1 = {count + 1} arrays, from x_0 to x_N")
        if not np.array_equal(x_end, x) or not np.array_equal(v_end, v):
            raise NotYet("x or v has been overwritten (x -= v works in place; x = x - v does not)")
        require(not np.array_equal(answer[0], x), "the list begins with x_N: it should begin with x_0")
        for n in reversed(range(count + 1)):
            try:
                # a rounding error of 1e-16 is divided by gamma in every layer, and grows by the slope of f, below 5
                expect(f"N = {count}, gamma = {gamma}: x_{n}", answer[n], passed[n], within=1e-11)
            except NotYet as error:
                why = "the last block is undone first, with f(x) = block(x) - x at the x just got back"
                raise NotYet(f"{error}: {why}") from None


def exercise_4(layers_needed):
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


def exercise_5(largest_batch):
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
