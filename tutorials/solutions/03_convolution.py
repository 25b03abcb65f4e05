"""Solutions of notebook 03; each block replaces the stub of the exercise with that number."""

# %% 03.1
# The windows cover (outputs - 1) * stride + kernel pixels.  For kernel 1 and stride 2 that may be less than there are:
# then no zeros are needed.


def same_padding(size, kernel, stride):
    outputs = -(-size // stride)
    total = max(0, (outputs - 1) * stride + kernel - size)
    return total // 2, total - total // 2


# %% 03.2
# 3x3 (132 FLOP/byte), 1x1 (25) and the fully connected layer with 256 images (73) are limited by arithmetic.  With one
# image every weight is read for one multiplication and one addition, half an operation per byte: memory limits it.


def intensity_and_rate(pixels, kernel, c, k, peak, bandwidth):
    weights = kernel**2 * c * k
    intensity = 2 * pixels * weights / (4 * (pixels * c + weights + pixels * k))
    return intensity, min(peak, bandwidth * intensity)


# %% 03.3
# s = B [(G g) * (A a)]: the matrices of the convolution, A and B transposed.


def multiply_polynomials(a, g, matrices):
    at, g_matrix, bt = matrices
    return bt.T @ ((g_matrix @ g) * (at.T @ a))


# %% 03.4
# 2 * 9 operations for a number read and a number written: 18 / 8 = 2.25 FLOP/byte, left of the ridge of most machines.


def depthwise(x, w, padding):
    x = padded(x, padding)
    kh, kw, _ = w.shape
    height, width = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    return sum(x[:, ky : ky + height, kx : kx + width] * w[ky, kx] for ky in range(kh) for kx in range(kw))


# %% 03.5
# The gradient of the outputs with stride 1 is zero but for every stride-th row and column; then as in section 4.


def strided_input_gradient(gradient, w, x_shape, stride, padding):
    height, width = (x_shape[axis] + 2 * padding - len(w) + 1 for axis in (1, 2))
    spread = np.zeros((len(gradient), height, width, gradient.shape[3]), gradient.dtype)
    spread[:, ::stride, ::stride] = gradient
    return input_gradient(spread, w, padding)
