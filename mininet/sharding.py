"""Data-parallel training in which the bits do not depend on the number of processes.

A batch is cut into shards, whatever the number of processes.  Each shard has running statistics and random numbers of
its own, so what it computes depends on no other.  The shards' gradients are added along a binary tree over shards, so
rounding is the same wherever they were computed.  Batch normalisation is over a shard: the number of shards is a
setting that changes what is trained, as the size of a batch does.

Processes are started by ``mpiexec`` and need mpi4py.  Without it, one process computes all shards.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any

import numpy as np

from . import seeding
from .base.checks import integer
from .base.types import AnyArray, FloatArray
from .kernels.threads import set_num_threads, usable_cores
from .nn import Module

_SIZES = "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "PMIX_SIZE", "MV2_COMM_WORLD_SIZE"
"""Variables in which some mpiexec says how many processes it has started."""

_GOLDEN = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio: keeps the seeds of shards apart."""


class Processes:
    """The processes that train together: those of ``mpiexec``, or this one alone.

    Attributes
    ----------
    rank, size : int
        The number of this process, and how many there are.
    sent : int
        Bytes of arrays that this process has sent, a broadcast by the first one counted once.

    Examples
    --------
    >>> Processes().size
    1
    """

    def __init__(self) -> None:
        self.rank, self.size, self.sent = 0, 1, 0
        if any(os.environ.get(name, "1") != "1" for name in _SIZES):
            try:
                from mpi4py import MPI
            except ImportError:
                raise ValueError("processes of mpiexec need mpi4py: pip install 'momentum-mininet[mpi]'") from None
            self._comm: Any = MPI.COMM_WORLD
            self.rank, self.size = self._comm.rank, self._comm.size
            sys.excepthook = self._end_all
            if "MININET_NUM_THREADS" not in os.environ:
                here = self._comm.Split_type(MPI.COMM_TYPE_SHARED).size
                set_num_threads(max(1, usable_cores() // here))

    def sum_of_two(self, left: AnyArray | None, right: AnyArray | None, here: int, there: int) -> AnyArray | None:
        """Add two arrays that are in two processes.

        Parameters
        ----------
        left
            Needed in process `here`.
        right
            Needed in process `there`.
        here
            Which process gets the sum; the others get None.
        there
            Which process sends.
        """
        if here == there or self.rank not in (here, there):
            return None if left is None or right is None else left + right
        if self.rank == there:
            assert right is not None
            self.sent += right.nbytes
            _wait(self._comm.Isend(np.ascontiguousarray(right), dest=here))
            return None
        assert left is not None
        received = np.empty_like(left)
        _wait(self._comm.Irecv(received, source=there))
        return left + received

    def shared(self, array: AnyArray | None, like: AnyArray) -> AnyArray:
        """Send an array from the first process to all.

        Parameters
        ----------
        array
            Needed in the first process.
        like
            An array with its shape and dtype.
        """
        array = np.empty_like(like) if array is None else np.ascontiguousarray(array)
        if self.size > 1:
            self.sent += array.nbytes if self.rank == 0 else 0
            _wait(self._comm.Ibcast(array, root=0))
        return array

    def gathered(self, values: list[Any]) -> list[Any]:
        """The lists of all processes, one after the other.

        Parameters
        ----------
        values
            This process's list, of anything that can be pickled.
        """
        if self.size == 1:
            return values
        _wait(self._comm.Ibarrier())
        return [value for each in self._comm.allgather(values) for value in each]

    @contextlib.contextmanager
    def ending_together(self) -> Iterator[None]:
        """End all processes, with a message, if this one fails in the block, even if the error is caught outside."""
        try:
            yield
        except BaseException as error:
            if self.size > 1:
                self._end_all(type(error), error, error.__traceback__)
            raise

    def _end_all(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """End the other processes too, which would wait for this one forever."""
        if kind is not SystemExit:
            sys.__excepthook__(kind, error, trace)
        print(f"{error}; this was process {self.rank} of {self.size}, which ends all", file=sys.stderr, flush=True)
        self._comm.Abort(1)


def _wait(request: Any) -> None:
    """Wait asleep: MPI itself would keep a core busy, which another process may need."""
    pause = 1e-6
    while not request.Test():
        time.sleep(pause)
        pause = min(2 * pause, 5e-4)


class Shards:
    """The shards of a network's training, and which of them this process computes.

    Parameters
    ----------
    net : Module
        Each shard has its own copy of its running statistics.
    count : int
        How many shards a batch is cut into, at least the number of processes.
    processes : Processes, optional
        By default, those that ``mpiexec`` started.

    Examples
    --------
    >>> shards = Shards(nn.BatchNorm2d(3), 4)
    >>> shards.total(lambda shard: np.array([1.0, shard]))
    array([4., 6.])
    """

    def __init__(self, net: Module, count: int, processes: Processes | None = None) -> None:
        self.processes = processes or Processes()
        self.net, self.count = net, integer("shards", count, 1)
        if self.count < self.processes.size:
            raise ValueError(f"shards must be at least the number of processes {self.processes.size}, got {count}")
        seed, draw = seeding.position()
        self._mine = [shard for shard in range(count) if self._owner(shard) == self.processes.rank]
        self._positions = {shard: ((seed + shard * _GOLDEN) % seeding.NUMBERS, draw) for shard in self._mine}
        self._buffers = {shard: self._copies() for shard in self._mine}

    def _owner(self, shard: int) -> int:
        """The process that computes a shard; each has consecutive ones."""
        return ((shard + 1) * self.processes.size - 1) // self.count

    def _copies(self) -> dict[str, FloatArray]:
        return {name: array.copy() for name, array in self.net.named_buffers()}

    def part(self, shard: int, array: AnyArray) -> AnyArray:
        """A shard's part of a batch.

        Parameters
        ----------
        shard
            Its number, below `count`.
        array
            All images or labels of the batch, at least one for each shard.
        """
        if len(array) < self.count:
            raise ValueError(f"shards must be at most the number of images in a batch {len(array)}, got {self.count}")
        return array[len(array) * shard // self.count : len(array) * (shard + 1) // self.count]

    def total(self, compute: Callable[[int], AnyArray]) -> AnyArray:
        """Add up arrays over all shards, to the same bits in every process and for any number of them.

        Parameters
        ----------
        compute
            Called with the number of each shard of this process; running statistics and random numbers are the shard's.
        """
        computed: list[AnyArray] = []

        def subtotal(first: int, last: int) -> AnyArray | None:
            here, middle = self._owner(first), (first + last + 1) // 2
            if last - first > 1:
                left, right = subtotal(first, middle), subtotal(middle, last)
                return self.processes.sum_of_two(left, right, here, self._owner(middle))
            if here != self.processes.rank:
                return None
            with self._in_place(first):
                computed[:] = [compute(first)]
            return computed[0]

        return self.processes.shared(subtotal(0, self.count), *computed)

    @contextlib.contextmanager
    def _in_place(self, shard: int) -> Iterator[None]:
        with seeding.rewound(self._positions[shard]):
            self._put(self._buffers[shard])
            yield
            self._buffers[shard], self._positions[shard] = self._copies(), seeding.position()

    def _put(self, buffers: Mapping[str, AnyArray]) -> None:
        for name, array in self.net.named_buffers():
            array[...] = buffers[name]

    def average_statistics(self) -> None:
        """Give the network the mean of the shards' running statistics, to be evaluated with."""
        means: dict[str, AnyArray] = {}
        for name, _ in self.net.named_buffers():

            def statistic(shard: int, name: str = name) -> AnyArray:
                return self._buffers[shard][name]

            means[name] = self.total(statistic) / self.count
        self._put(means)

    def state_dict(self) -> dict[str, AnyArray]:
        """Copy the running statistics and positions of all shards, from all processes."""
        rows = self.processes.gathered([(self._positions[shard], self._buffers[shard]) for shard in self._mine])
        names = [name for name, _ in self.net.named_buffers()]
        state: dict[str, AnyArray] = {name: np.stack([buffers[name] for _, buffers in rows]) for name in names}
        return state | {"positions": np.array([position for position, _ in rows], np.uint64)}

    def load_state_dict(self, state: Mapping[str, AnyArray]) -> None:
        """Take over a `state_dict`.

        Parameters
        ----------
        state
            From any number of processes, but of as many shards.
        """
        expected = {name: (self.count, *array.shape) for name, array in self.net.named_buffers()}
        expected["positions"] = self.count, 2
        found = {name: np.shape(array) for name, array in state.items()}
        if found != expected:
            raise ValueError(f"shards must have {expected}, got {found}")
        for shard in self._mine:
            seed, draw = state["positions"][shard].tolist()
            self._positions[shard] = seed, draw
            self._buffers[shard] = {name: state[name][shard].copy() for name in expected if name != "positions"}
