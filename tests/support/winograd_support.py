"""How far Winograd's convolutions may be off: a bound on rounding errors, stage by stage."""

import numpy as np

from mininet.kernels.winograd import INPUT, OUTPUT, WEIGHT


def tiles_of(x, padding, down, across):
    """The 6x6 pixels under each 4x4 outputs: (n, down, across, 6, 6, c)."""
    tall, wide = 4 * down + 2, 4 * across + 2
    cut = [max(0, -p) for p in padding]
    x = x[:, cut[0] :, cut[1] :]
    before = [max(0, p) for p in padding]
    after = [max(0, tall - before[0] - x.shape[1]), max(0, wide - before[1] - x.shape[2])]
    padded = np.pad(x, ((0, 0), (before[0], after[0]), (before[1], after[1]), (0, 0)))[:, :tall, :wide]
    windows = np.lib.stride_tricks.sliding_window_view(padded, (6, 6), axis=(1, 2))[:, ::4, ::4]
    return windows.transpose(0, 1, 2, 4, 5, 3)


def sizes_of_stages(x, w, gradient, padding):
    """What `out` and `dw` would be if no number had a sign: all matrices, and arrays, by absolute value."""
    at, g, bt = np.abs(OUTPUT), np.abs(WEIGHT), np.abs(INPUT)
    x, w, gradient = (np.abs(array.astype(np.float64)) for array in (x, w, gradient))
    count, height, width, k = gradient.shape
    down, across = -(-height // 4), -(-width // 4)
    v = np.einsum("pi,nabijc,qj->nabpqc", bt, tiles_of(x, padding, down, across), bt, optimize=True)
    u = np.einsum("pi,ijck,qj->pqck", g, w, g, optimize=True)
    m = np.einsum("nabpqc,pqck->nabpqk", v, u, optimize=True)
    out = np.einsum("ip,nabpqk,jq->naibjk", at, m, at, optimize=True)
    whole = np.pad(gradient, ((0, 0), (0, 4 * down - height), (0, 4 * across - width), (0, 0)))
    dm = np.einsum("ip,naibjk,jq->nabpqk", at, whole.reshape(count, down, 4, across, 4, k), at, optimize=True)
    du = np.einsum("nabpqc,nabpqk->pqck", v, dm, optimize=True)
    dw = np.einsum("pi,pqck,qj->ijck", g, du, g, optimize=True)
    return out.reshape(count, 4 * down, 4 * across, k)[:, :height, :width], dw


def bounds(x, w, gradient, padding):
    """By how much (out, dL/dw) may be off.

    Each stage multiplies by a constant matrix from both sides.  A combination of t terms is rounded t times, and once
    more if its factors are (those of G), so relative to the sum of absolute values it is off by t eps/2: for B^T d B
    2 * 6 times (rows have 4 entries at the most, 6 is more than enough), for G g G^T 2 * (3 + 1), for A^T M A 2 * 6,
    and a sum over c channels c times.  Errors of a stage pass through the following ones like numbers themselves, so
    everything is relative to the product of all absolute values, `sizes_of_stages`: (12 + 8 + c + 12) eps/2.  For the
    weights' gradient: 12 for B^T d B, 2 * 4 for A dY A^T, as many as there are tiles for their sum, and 2 * (6 + 1) for
    G^T dU G.  eps instead of eps/2 makes up for products of errors, and for the errors of the definition in float64.
    """
    out, dw = sizes_of_stages(x, w, gradient, padding)
    eps = np.finfo(x.dtype).eps
    tiles = len(x) * -(-gradient.shape[1] // 4) * -(-gradient.shape[2] // 4)
    return (12 + 8 + x.shape[3] + 12) * eps * out, (12 + 8 + tiles + 14) * eps * dw
