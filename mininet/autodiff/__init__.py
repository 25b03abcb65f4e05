"""The engine: tensors, the tape, operations with their vector-Jacobian products, and a gradient checker."""

from . import functional, numpy_functions, operators  # noqa: F401 - the last two for their effect on Tensor
from .gradcheck import GradientError, check_gradient, check_jacobian
from .operation import Operation, operation
from .tape import enable_grad, is_recording, is_replaying, no_grad, replaying
from .tensor import Tensor, as_tensor, gradients

__all__ = [
    "GradientError", "Operation", "Tensor", "as_tensor", "check_gradient", "check_jacobian", "enable_grad",
    "functional", "gradients", "is_recording", "is_replaying", "no_grad", "operation", "replaying",
]  # fmt: skip
