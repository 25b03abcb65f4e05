"""Changes for a while, which are taken back whatever happens.

A ``with`` block alone cannot promise this: Ctrl-C may come just when Python begins to call ``__exit__``, which then
does nothing.  So a change that is made stays on a list until it has been taken back, and functions that users call take
back what is left over when an exception leaves them.
"""

import contextlib
import functools
import threading


class _Open(threading.local):
    """What has been changed by this thread and not been taken back: for each block a list of (owner, name, value)."""

    def __init__(self):
        self.blocks = []


_open = _Open()


class changed(contextlib.ContextDecorator):
    """Inside the block, or a function so decorated, attributes have other values; afterwards those from before.

    Parameters
    ----------
    attributes : sequence of (object, str, value)
    """

    def __init__(self, attributes):
        self._attributes = attributes

    def _recreate_cm(self):
        return changed(self._attributes)  # a decorated function may call itself

    def __enter__(self):
        before = [(owner, name, getattr(owner, name)) for owner, name, _ in self._attributes]
        self._level = len(_open.blocks)
        try:
            _open.blocks.append(before)
            _set(self._attributes)
        except BaseException:
            _take_back(self._level)
            raise

    def __exit__(self, *exception):
        _take_back(self._level)


def _set(attributes):
    for owner, name, value in attributes:
        if getattr(owner, name) is not value:
            setattr(owner, name, value)


def _take_back(level):
    """Take back all blocks but the first so many, the last one first; if interrupted, it can be done again."""
    blocks = _open.blocks
    while len(blocks) > level:
        _set(blocks[-1])
        del blocks[-1]


def takes_back(function):
    """A decorator: when an exception leaves the function, nothing stays changed that was changed inside it."""

    @functools.wraps(function)
    def wrapped(*arguments, **keywords):
        level = len(_open.blocks)
        try:
            return function(*arguments, **keywords)
        except BaseException:
            _take_back(level)
            raise

    return wrapped
