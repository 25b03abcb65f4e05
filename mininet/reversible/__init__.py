"""Networks that can be run backwards: the subject, and its rivals."""

from .adjoint_resnet import AdjointResNet
from .bdia import BDIANet
from .inversion import InversionReport
from .iresnet import IResNet
from .lipschitz import limit_lipschitz, spectral_norm
from .momentum import ExactState, FloatState, MomentumNet
from .residual import ResidualNet
from .revnet import RevNet

__all__ = [
    "AdjointResNet", "BDIANet", "ExactState", "FloatState", "IResNet", "InversionReport", "MomentumNet", "ResidualNet",
    "RevNet", "limit_lipschitz", "spectral_norm",
]  # fmt: skip
