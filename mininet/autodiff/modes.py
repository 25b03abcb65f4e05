"""Two switches of each thread: whether operations are recorded, and whether a function is being evaluated again."""

import contextlib
import threading

from .. import seeding


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


@contextlib.contextmanager
def _recording_set_to(value):
    before, _modes.recording = _modes.recording, value
    try:
        yield
    finally:
        _modes.recording = before


def no_grad():
    """Inside this context (or in a function so decorated), operations leave no tape behind."""
    return _recording_set_to(False)


def enable_grad():
    """Inside this context, operations are recorded, also within a `no_grad` block."""
    return _recording_set_to(True)


@contextlib.contextmanager
def replaying(random_position):
    """Evaluate a function again, silently: side effects are left out, random numbers are drawn as the first time.

    random_position : what `seeding.position()` was before the first evaluation
    """
    before, _modes.replaying = _modes.replaying, True
    try:
        with seeding.rewound(random_position):
            yield
    finally:
        _modes.replaying = before
