"""Where the time of a training step goes.

Every operation of the engine, forward and backward, and the arithmetic of momentum networks says when it begins and
ends.  Time counts for the innermost of them: a momentum network's own share is what its residual functions leave.
"""

import time

from .base import instruments


class Profile:
    """Seconds and calls by name.

    Attributes
    ----------
    seconds : dict of str to float
        What was spent in each kind of work itself, without the kinds of work inside it, since the profile was opened;
        "everything else" is Python between them.
    calls : dict of str to int

    Examples
    --------
    >>> with profile() as times:
    ...     y = F.relu([1.0])
    >>> times.calls, list(times.seconds)
    ({'relu': 1}, ['everything else', 'relu'])
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int] = {}
        self._stack = ["everything else"]
        self._is_open = True
        self._since = time.perf_counter()

    def _turn(self) -> None:
        """Count the time since the last turn for the innermost name."""
        if not self._is_open:
            return
        now = time.perf_counter()
        name = self._stack[-1]
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now

    def begin(self, name: str) -> None:
        """Begin to measure.

        Parameters
        ----------
        name
            What is done until its `end` counts for it, apart from what has a name of its own.
        """
        self._turn()
        self._stack.append(name)
        self.calls[name] = self.calls.get(name, 0) + 1

    def end(self) -> None:
        """It is done."""
        self._turn()
        self._stack.pop()

    def _close(self) -> None:
        self._turn()
        self._is_open = False

    def __str__(self) -> str:
        total = sum(self.seconds.values())
        width = max(map(len, self.seconds), default=0)
        lines = [f"{'':{width}}  {'calls':>6}  {'ms':>8}  {'share':>6}"]
        for name, seconds in sorted(self.seconds.items(), key=lambda entry: -entry[1]):
            calls = self.calls.get(name, "")
            lines.append(f"{name:{width}}  {calls:>6}  {1e3 * seconds:8.2f}  {seconds / (total or 1):6.1%}")
        lines.append(f"{'total':{width}}  {'':>6}  {1e3 * total:8.2f}  {1:6.0%}")
        return "\n".join(lines)


class profile:
    """Measure what this thread does inside a `with` block; gives a `Profile`.  Blocks may be nested.

    Examples
    --------
    >>> net, x = nn.Linear(2, 2), np.ones((3, 2), np.float32)
    >>> with profile() as times:
    ...     net(x).sum().backward()
    >>> times.calls["linear"]
    1
    """

    def __init__(self) -> None:
        self._entered: list[Profile] = []

    def __enter__(self) -> Profile:
        self._entered.append(Profile())
        instruments.profiles.open += (self._entered[-1],)
        return self._entered[-1]

    def __exit__(self, *exception: object) -> None:
        profile = self._entered.pop()
        profile._close()
        instruments.profiles.open = tuple(each for each in instruments.profiles.open if each is not profile)
