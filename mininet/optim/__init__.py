"""Optimisers, and schedules for their learning rate."""

from .adam import Adam, AdamW
from .optimizer import Optimizer
from .parameters import clip_grad_norm
from .schedules import CosineDecay, MultiStepDecay, Schedule
from .sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "CosineDecay", "MultiStepDecay", "Optimizer", "Schedule", "clip_grad_norm"]
