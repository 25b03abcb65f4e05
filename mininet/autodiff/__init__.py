"""The engine: tensors, the tape, operations with their vector-Jacobian products, and a gradient checker."""

from . import functional, operators  # noqa: F401 - operators is imported for its effect on Tensor
from .gradcheck import GradientError, check_gradient, check_jacobian
from .modes import enable_grad, is_recording, is_replaying, no_grad, replaying
from .tensor import Tensor, as_tensor, gradients

__all__ = [
    "GradientError", "Tensor", "as_tensor", "check_gradient", "check_jacobian", "enable_grad", "functional",
    "gradients", "is_recording", "is_replaying", "no_grad", "replaying",
]  # fmt: skip
