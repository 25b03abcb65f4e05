"""Two switches of each thread: whether operations are recorded, and whether a function is being evaluated again."""

import threading

from .. import seeding
from ..changes import changed


class _Modes(threading.local):
    recording = True
    replaying = False


_modes = _Modes()


def is_recording():
    """Whether operations are put on the tape."""
    return _modes.recording


def is_replaying():
    """Whether a function that has been evaluated before is evaluated again, to recover what was not stored.

    A layer with a side effect (batch normalisation with its running statistics) must then leave it out.
    """
    return _modes.replaying


def _recording_set_to(value):
    return changed([(_modes, "recording", value)])


def no_grad():
    """Inside this context (or in a function so decorated), operations leave no tape behind."""
    return _recording_set_to(False)


def enable_grad():
    """Inside this context, operations are recorded, also within a `no_grad` block."""
    return _recording_set_to(True)


def replaying(random_position, attributes=()):
    """Evaluate a function again, silently: side effects are left out, random numbers are drawn as the first time.

    random_position : what `seeding.position()` was before the first evaluation
    attributes : of other objects as they were then, (object, name, value) for each
    """
    return changed([*attributes, (_modes, "replaying", True), *seeding.at_position(random_position)])
