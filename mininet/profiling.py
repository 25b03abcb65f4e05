"""Where the time of a training step goes.

>>> with profile() as times:
...     loss = net(x).sum()
...     loss.backward()
>>> print(times)

Every operation of the engine, forward and backward, and the arithmetic of momentum networks says when it begins and
ends.  Time counts for the innermost of them: a momentum network's own share is what its residual functions leave.
"""

import contextlib
import functools
import threading
import time

_profiles = threading.local()


class Profile:
    """Seconds and calls by name.

    Attributes
    ----------
    seconds : dict of str to float
        What was spent in each kind of work itself, without the kinds of work inside it, since the profile was opened;
        "everything else" is Python between them.
    calls : dict of str to int
    """

    def __init__(self):
        self.seconds, self.calls = {}, {}
        self._stack = ["everything else"]
        self._is_open = True
        self._since = time.perf_counter()

    def _turn(self):
        """Count the time since the last turn for the innermost name."""
        if not self._is_open:
            return
        now = time.perf_counter()
        name = self._stack[-1]
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now

    def _begin(self, name):
        self._turn()
        self._stack.append(name)
        self.calls[name] = self.calls.get(name, 0) + 1

    def _end(self):
        self._turn()
        self._stack.pop()

    def _close(self):
        self._turn()
        self._is_open = False

    def __str__(self):
        total = sum(self.seconds.values())
        width = max(map(len, self.seconds), default=0)
        lines = [f"{'':{width}}  {'calls':>6}  {'ms':>8}  {'share':>6}"]
        for name, seconds in sorted(self.seconds.items(), key=lambda entry: -entry[1]):
            calls = self.calls.get(name, "")
            lines.append(f"{name:{width}}  {calls:>6}  {1e3 * seconds:8.2f}  {seconds / (total or 1):6.1%}")
        lines.append(f"{'total':{width}}  {'':>6}  {1e3 * total:8.2f}  {1:6.0%}")
        return "\n".join(lines)


class profile:
    """Measure what this thread does inside a `with` block; gives a `Profile`.  Blocks may be nested."""

    def __init__(self):
        self._entered = []

    def __enter__(self):
        self._entered.append(Profile())
        if not hasattr(_profiles, "open"):
            _profiles.open = []
        _profiles.open.append(self._entered[-1])
        return self._entered[-1]

    def __exit__(self, *exception):
        profile = self._entered.pop()
        profile._close()
        _profiles.open.remove(profile)


_nothing = contextlib.nullcontext()


def measured(name):
    """A context whose time counts for `name`; costs next to nothing while nobody is profiling."""
    return _Measured(name) if getattr(_profiles, "open", None) else _nothing


def measured_as(name):
    """A decorator: calls of the function count for `name`."""

    def decorate(function):
        @functools.wraps(function)
        def wrapped(*arguments, **keywords):
            with measured(name):
                return function(*arguments, **keywords)

        return wrapped

    return decorate


class _Measured:
    def __init__(self, name):
        self._name, self._profiles = name, list(_profiles.open)

    def __enter__(self):
        for entry in self._profiles:
            entry._begin(self._name)

    def __exit__(self, *exception):
        for entry in self._profiles:
            entry._end()
