"""How much of the processor other programs take meanwhile.

It must be known: while a program competes for the cores, libraries whose threads spin as they wait for each other (as
PyTorch's do) can get a hundred times slower, others hardly.
"""

import os
import pathlib
import time

_STAT = pathlib.Path("/proc/stat")


class OtherLoad:
    """In a `with` block that runs child processes: the share of all cores' time that went to anything else.

    Attributes
    ----------
    share : float or None
        After the block; None where the system does not say (not Linux).
    """

    share = None

    def __enter__(self):
        self._start = time.perf_counter(), _busy_seconds(), _seconds_of_children()
        return self

    def __exit__(self, *_):
        elapsed, busy, ours = (
            after - before if before is not None else None
            for after, before in zip(
                (time.perf_counter(), _busy_seconds(), _seconds_of_children()), self._start, strict=True
            )
        )
        if busy is not None:
            self.share = max(0.0, busy - ours) / (elapsed * os.cpu_count())


def _busy_seconds():
    """Of all cores together since the machine was started, those that a virtual machine did not get included."""
    if not _STAT.exists():
        return None
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen = _STAT.read_text().split()[1:9]
    ticks = sum(map(int, (user, nice, system, interrupts, soft_interrupts, stolen)))
    return ticks / os.sysconf("SC_CLK_TCK")


def _seconds_of_children():
    times = os.times()
    return times.children_user + times.children_system
