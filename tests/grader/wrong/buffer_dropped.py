"""The buffer does not come with the state."""

BREAKS = {"exact inversion": "the buffer does not reach invert_exact", "same bits": "must be the same float"}
with_buffer = forward_exact  # noqa: F821 - that of the right implementation


def forward_exact(functions, n, d, x, v):
    x, v, b, stack = with_buffer(functions, n, d, x, v)
    return [x, v, 0 * b, stack]
