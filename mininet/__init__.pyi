from . import datasets as datasets
from . import models as models
from . import nn as nn
from . import optim as optim
from .autodiff import Tensor as Tensor
from .autodiff import check_gradient as check_gradient
from .autodiff import check_jacobian as check_jacobian
from .autodiff import enable_grad as enable_grad
from .autodiff import functional as functional
from .autodiff import no_grad as no_grad
from .kernels import get_num_threads as get_num_threads
from .kernels import set_num_threads as set_num_threads
from .memory import track_memory as track_memory
from .reversible import IResNet as IResNet
from .reversible import MomentumNet as MomentumNet
from .reversible import ResidualNet as ResidualNet
from .reversible import RevNet as RevNet
from .seeding import manual_seed as manual_seed

__version__: str

__all__ = [
    "IResNet", "MomentumNet", "ResidualNet", "RevNet", "Tensor", "check_gradient", "check_jacobian", "datasets",
    "enable_grad", "functional", "get_num_threads", "manual_seed", "models", "nn", "no_grad", "optim",
    "set_num_threads", "track_memory",
]  # fmt: skip
