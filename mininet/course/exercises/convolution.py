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


LAYERS = {
    "3x3, 64 -> 64, 3136 pixels": (3136, 3, 64, 64),
    "1x1, 64 -> 256, 3136 pixels": (3136, 1, 64, 256),
    "fully connected, 512 -> 1000, 1 image": (1, 1, 512, 1000),
    "fully connected, 512 -> 1000, 256 images": (256, 1, 512, 1000),
}


def exercise_2(intensity_and_rate):
    """2 FLOP for a multiplication and an addition, 4 bytes for a number."""
    for name, (pixels, kernel, c, k) in LAYERS.items():
        answer = returned(intensity_and_rate(pixels, kernel, c, k, 140.0, 20.0), "intensity_and_rate")
        require(np.shape(answer) == (2,), "return two numbers, the intensity and the rate")
        flop, weights = 2 * pixels * kernel**2 * c * k, kernel**2 * c * k
        right = flop / (4 * (pixels * (c + k) + weights))
        for factor, why in {
            0.5: "a multiplication and an addition are two operations",
            4.0: "a float32 has 4 bytes",
            2.0: "a float32 has 4 bytes, and a multiplication and an addition are two operations",
        }.items():
            require(not np.isclose(answer[0], factor * right, rtol=1e-9), f"{name}: intensity off by {factor:g}: {why}")
        without = flop / (4 * pixels * (c + k))
        require(not np.isclose(answer[0], without, rtol=1e-9), f"{name}: the weights have to be read, too")
        row = flop / kernel / (4 * (pixels * (c + k) + weights / kernel))
        if kernel != 1 and np.isclose(answer[0], row, rtol=1e-9):
            raise NotYet(f"{name}: a window is kernel x kernel pixels large")
        expect(f"{name}: intensity", answer[0], right, within=1e-12)
        expect("    rate on a machine of 140 GFLOP/s and 20 GB/s", answer[1], min(140.0, 20.0 * right), within=1e-12)
        print(f"    {right:.2f} FLOP/byte: limited by {'memory' if right < 7 else 'arithmetic'}")


def exercise_3(multiply_polynomials, winograd_matrices):
    """B [(G g) * (A a)]."""
    for points, outputs, taps in [((0, 1, -1), 2, 3), ((0, 1), 2, 2), ((0, 1, -1, 2, -2), 4, 3)]:
        random = np.random.default_rng(outputs + taps)
        a, g = (random.integers(-9, 10, count).astype(float) for count in (outputs, taps))
        matrices = winograd_matrices(points, outputs, taps)
        found = multiply_polynomials(a.copy(), g.copy(), tuple(matrix.copy() for matrix in matrices))
        right = np.convolve(a, g)
        at, g_matrix, bt = (np.abs(matrix) for matrix in matrices)
        unsigned = bt.T @ ((g_matrix @ np.abs(g)) * (at.T @ np.abs(a)))
        within = 8 * len(bt) * EPS * unsigned.max() / np.abs(right).max()  # sums of up to len(bt) terms, three times
        expect(f"{outputs} times {taps} coefficients", found, right, within=within)
        doubled = multiply_polynomials(a.copy(), g.copy(), (matrices[0], 2 * matrices[1], matrices[2]))
        if not np.allclose(doubled, 2 * right):
            raise NotYet("the result does not depend on G: multiply values at points, with the matrices that are given")


def exercise_4(depthwise):
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


def exercise_5(strided_input_gradient):
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
