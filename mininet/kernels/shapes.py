"""Sizes of convolutions, and whether arrays have them: compiled kernels do not look where they read and write."""


def output_size(size, kernel_size, stride, padding):
    """Number of positions at which a window of `kernel_size` fits into `size` pixels with `padding` at both ends."""
    return (size + 2 * padding - kernel_size) // stride + 1


def require_convolution(x, w, stride, padding, out_shape):
    """Raise ValueError unless x (n, height, width, c) and w (kh, kw, c, k), C-contiguous, make an output so large."""
    if x.ndim != 4 or w.ndim != 4 or x.shape[3] != w.shape[2] or x.dtype != w.dtype:
        raise ValueError(
            "x and w must be (n, height, width, c) and (kh, kw, c, k) of one dtype, got shapes "
            f"{x.shape} {x.dtype} and {w.shape} {w.dtype}"
        )
    if not (x.flags.c_contiguous and w.flags.c_contiguous):
        raise ValueError("x and w must be C-contiguous, as np.ascontiguousarray makes them")
    size = tuple(output_size(x.shape[1 + i], w.shape[i], stride[i], padding[i]) for i in (0, 1))
    expected = (len(x), *size, w.shape[3])
    if min(stride) < 1 or min(size) < 0 or tuple(out_shape) != expected:
        raise ValueError(f"out_shape must be {expected} for stride {stride} and padding {padding}, got {out_shape}")
