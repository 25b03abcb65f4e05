"""Networks that can be run backwards: the subject."""

from .inversion import InversionReport
from .momentum import MomentumNet
from .states import ExactState, FloatState

__all__ = ["ExactState", "FloatState", "InversionReport", "MomentumNet"]
