"""Training of classifiers that goes on after an interruption, to the same bits."""

from .checkpoints import CHECKPOINT
from .curves import CURVES, FIGURE, Epoch
from .evaluation import accuracy, confusion
from .trainer import Training

__all__ = ["CHECKPOINT", "CURVES", "FIGURE", "Epoch", "Training", "accuracy", "confusion"]
