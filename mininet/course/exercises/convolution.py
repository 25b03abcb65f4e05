"""Exercises of notebook 03, Convolution: from loops to Winograd."""

import numpy as np

from ...kernels.convolution import convolve_gradients_reference, convolve_reference
from ...kernels.shapes import output_size
from ..checking import NotYet, expect, is_near, require, returned

EPS = np.finfo(np.float64).eps


def exercise_1(same_padding):
    """As few zeros as give ceil(size / stride) outputs."""
    cases = (8, 3, 1), (8, 5, 1), (8, 2, 1), (7, 3, 2), (8, 3, 2), (8, 1, 2), (9, 2, 3), (224, 7, 2)
    for size, kernel, stride in cases:
        case = f"size {size}, kernel {kernel}, stride {stride}"
        answer = same_padding(size, kernel, stride)
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            raise NotYet(f"{case}: return (before, after), not {answer!r}")
        before, after = answer
        require(min(before, after) >= 0, f"{case}: {before} and {after} zeros; there cannot be fewer than none")
        outputs, wanted = output_size(size + before + after, kernel, stride, 0), -(-size // stride)
        zeros = f"{before} zeros before and {after} after"
        require(outputs == wanted, f"{case}: with {zeros} there are {outputs} outputs, and should be {wanted}")
        total = max(0, (wanted - 1) * stride + kernel - size)
        require(before + after == total, f"{case}: {wanted} outputs need {total} zeros only, not {before + after}")
        if before != total // 2:
            raise NotYet(f"{case}: of {total} zeros {total // 2} should come before, an additional one after")
        print(f"{case}: {wanted} outputs with {before} + {after} zeros")


def exercise_2(depthwise):
    """Every channel by itself: a convolution whose weights are diagonal in the channels."""
    cases = ((5, 6, 3), (3, 3), 1), ((5, 6, 3), (3, 3), 0), ((4, 7, 2), (1, 3), 1)
    for (height, width, c), (kh, kw), padding in cases:
        random = np.random.default_rng(height)
        x, w = random.standard_normal((2, height, width, c)), random.standard_normal((kh, kw, c))
        diagonal = w[..., None] * np.eye(c)
        right = convolve_reference(x, diagonal, (1, 1), (padding, padding))
        unsigned = convolve_reference(np.abs(x), np.abs(diagonal), (1, 1), (padding, padding))
        found = depthwise(x.copy(), w.copy(), padding)
        within = kh * kw * EPS * unsigned.max() / np.abs(right).max()
        turned = convolve_reference(x, diagonal[::-1, ::-1], (1, 1), (padding, padding))
        require(not is_near(found, turned), "the window is turned round: tap ky looks at row oy + ky")
        expect(f"x {x.shape}, w {w.shape}, padding {padding}", found, right, within=within)
    intensity = "18 operations for 4 bytes read and 4 written, 2.25 FLOP/byte"
    print(f"3x3: at best {intensity}: memory limits it on most machines")


def exercise_3(strided_input_gradient):
    """The vjp of keeping every s-th output, then that of stride 1."""
    cases = ((6, 6), 3, 1, 1), ((5, 5), 1, 2, 0), ((7, 7), 3, 2, 1), ((8, 7), 3, 2, 1), ((9, 8), 2, 3, 0)
    for (height, width), kernel, stride, padding in cases:
        case = f"{height}x{width} pixels, kernel {kernel}, stride {stride}, padding {padding}"
        random = np.random.default_rng(height)
        x, w = random.standard_normal((2, height, width, 2)), random.standard_normal((kernel, kernel, 2, 3))
        steps = (stride, stride), (padding, padding)
        gradient = random.standard_normal(convolve_reference(x, w, *steps).shape)
        right, _ = convolve_gradients_reference(x, w, gradient, *steps)
        unsigned, _ = convolve_gradients_reference(*(np.abs(array) for array in (x, w, gradient)), *steps)
        found = strided_input_gradient(gradient.copy(), w.copy(), x.shape, stride, padding)
        returned(found, "strided_input_gradient")
        if np.shape(found) != x.shape:
            why = "how many outputs would there be with stride 1?"
            raise NotYet(f"{case}: the result has shape {np.shape(found)}, and should have {x.shape}: {why}")
        expect(case, found, right, within=kernel**2 * 3 * EPS * unsigned.max() / np.abs(right).max())
