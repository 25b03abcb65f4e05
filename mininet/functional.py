"""The operations on tensors.  Images are channels last: (n, height, width, channels)."""

from .autodiff.functional import *  # noqa: F403
from .autodiff.functional import __all__ as __all__
