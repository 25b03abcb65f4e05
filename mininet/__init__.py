"""Momentum residual neural networks from scratch, on NumPy and Numba.

After M. E. Sander, P. Ablin, M. Blondel, G. Peyré, *Momentum Residual Neural Networks*, ICML 2021.

The library, each part using only those before it: `base`, `kernels`, `autodiff`, `nn` and `optim`, `reversible` (the
subject), `models`, `datasets`, `training`.  Built on it: `experiments`, `grader`, `course`.
"""

import os
import sys

if sys.platform == "darwin":  # NumPy's Accelerate takes no other limit, and this one only before it is loaded
    os.environ.setdefault("VECLIB_MAXIMUM_THREADS", "1")

from . import datasets, functional, models, nn, optim
from .autodiff import Tensor, check_gradient, check_jacobian, enable_grad, no_grad
from .kernels import get_num_threads, set_num_threads
from .memory import track_memory
from .reversible import IResNet, MomentumNet, ResidualNet, RevNet
from .seeding import manual_seed
from .version import VERSION

__version__ = VERSION

__all__ = [
    "IResNet", "MomentumNet", "ResidualNet", "RevNet", "Tensor", "check_gradient", "check_jacobian", "datasets",
    "enable_grad", "functional", "get_num_threads", "manual_seed", "models", "nn", "no_grad", "optim",
    "set_num_threads", "track_memory",
]  # fmt: skip
