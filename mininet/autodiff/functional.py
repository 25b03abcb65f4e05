"""The operations on tensors, public as `mininet.functional`.

Images are channels last: (n, height, width, channels).
"""

from .arithmetic import add, divide, maximum, multiply, negative, power, subtract
from .convolution import conv2d
from .elementary import absolute, exp, leaky_relu, log, logsigmoid, relu, sigmoid, silu, softplus, sqrt, tanh
from .linear import linear, matmul
from .losses import cross_entropy, log_softmax, mse_loss, softmax
from .normalization import batch_norm, group_norm
from .pooling import avg_pool2d, global_avg_pool2d, max_pool2d
from .reductions import max, mean, min, sum, var
from .selection import clip, dropout, where
from .shapes import concatenate, flatten, getitem, pad, reshape, split, stack, transpose
from .transformer import causal_attention, embedding, gelu, layer_norm

__all__ = [
    "absolute", "add", "avg_pool2d", "batch_norm", "causal_attention", "clip", "concatenate", "conv2d", "cross_entropy",
    "divide", "dropout", "embedding", "exp", "flatten", "gelu", "getitem", "global_avg_pool2d", "group_norm",
    "layer_norm", "leaky_relu", "linear", "log", "log_softmax", "logsigmoid", "matmul", "max", "max_pool2d", "maximum",
    "mean", "min", "mse_loss", "multiply", "negative", "pad", "power", "relu", "reshape", "sigmoid", "silu", "softmax",
    "softplus", "split", "sqrt", "stack", "subtract", "sum", "tanh", "transpose", "var", "where",
]  # fmt: skip
