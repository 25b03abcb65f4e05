"""The operations on tensors, public as `mininet.functional`.

Images are channels last: (n, height, width, channels).
"""

from .elementary import (
    absolute,
    add,
    clip,
    divide,
    dropout,
    exp,
    leaky_relu,
    log,
    logsigmoid,
    maximum,
    multiply,
    negative,
    power,
    relu,
    sigmoid,
    silu,
    softplus,
    sqrt,
    subtract,
    tanh,
    where,
)
from .images import avg_pool2d, batch_norm, conv2d, flatten, global_avg_pool2d, max_pool2d
from .linear import linear, matmul
from .losses import cross_entropy, log_softmax, mse_loss, softmax
from .shapes import concatenate, getitem, max, mean, min, reshape, split, stack, sum, transpose, var

__all__ = [
    "absolute", "add", "avg_pool2d", "batch_norm", "clip", "concatenate", "conv2d", "cross_entropy", "divide",
    "dropout", "exp", "flatten", "getitem", "global_avg_pool2d", "leaky_relu", "linear", "log", "log_softmax",
    "logsigmoid", "matmul", "max", "max_pool2d", "maximum", "mean", "min", "mse_loss", "multiply", "negative", "power",
    "relu", "reshape", "sigmoid", "silu", "softmax", "softplus", "split", "sqrt", "stack", "subtract", "sum", "tanh",
    "transpose", "var", "where",
]  # fmt: skip
