"""Promise: Ctrl-C may come at any moment.

It ends what is under way with a KeyboardInterrupt, soon and without a hang.  Afterwards everything can be used as if
nothing had happened: the same cell gives the same gradients, to the last bit, and no memory is lost.  (Until the next
exception, Python itself keeps what the interrupted functions held, for `%debug` and the like.)  Python drops a Ctrl-C
that comes while an object is freed; mininet then asks for it again, but for one at the very first instruction.
"""

import os
import queue
import random
import time
import weakref

import numpy as np
import pytest
from jupyter_client.manager import start_new_kernel
from support import ROOT
from trust_support import HANG, TRUST, environment, run_script

from mininet import interrupts, memory, track_memory
from mininet.kernels import buffers

SETUP = """
import gc, hashlib
import numpy as np
from mininet import MomentumNet, manual_seed, nn, set_num_threads, track_memory

set_num_threads(2)
manual_seed(0)

def block():
    return nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Dropout(0.2))

net = MomentumNet([block() for _ in range(30)], gamma=0.9, backprop=BACKPROP)
x = np.random.default_rng(0).standard_normal((128, 8, 8, 16)).astype(np.float32)
counting = track_memory()
tracker = counting.__enter__()
"""
STEP = """
manual_seed(1)
net.zero_grad()
loss = (net(x) ** 2).mean()
print("backward", flush=True)
loss.backward()
"""
GRADIENTS = """
print(hashlib.sha256(b"".join(parameter.grad.tobytes() for parameter in net.parameters())).hexdigest())
"""
HELD = """
loss = None
net.zero_grad()
gc.collect()
held = {kind: count for kind, count in tracker.current_by_kind.items() if count and kind != "idle buffers"}
print(held, len([buffer for buffer in tracker._buffers.values() if buffer.kind != "idle buffers"]))
"""


class Notebook:
    """A kernel, whose cells can be interrupted."""

    def __init__(self):
        self.manager, self.client = start_new_kernel(env=environment(), cwd=str(ROOT), startup_timeout=HANG)

    def run(self, source, interrupted_after=None):
        """(what it printed, name of the error or None); Ctrl-C so many seconds after it has printed something."""
        identifier, printed, error = self.client.execute(source), "", None
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=HANG)
            except queue.Empty:
                pytest.fail(f"the kernel hangs at {source}")
            if message["parent_header"].get("msg_id") != identifier:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                printed += content["text"]
                if interrupted_after is not None:
                    time.sleep(interrupted_after)
                    self.manager.interrupt_kernel()
                    interrupted_after = None
            elif message["msg_type"] == "error":
                error = content["ename"]
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return printed, error

    def succeed(self, source):
        printed, error = self.run(source)
        assert error is None, (source, printed)
        return printed

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def notebook():
    made = Notebook()
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
@pytest.mark.parametrize("backprop", ["reversible", "stored", "checkpointed"])
def test_in_a_cell_in_the_middle_of_backward(notebook, backprop):
    notebook.succeed(SETUP.replace("BACKPROP", repr(backprop)))
    notebook.succeed(STEP)  # compiles
    start = time.monotonic()
    assert notebook.succeed(STEP) == "backward\n"
    duration = time.monotonic() - start
    expected, held = notebook.succeed(GRADIENTS), notebook.succeed(HELD)
    assert len(expected) == 65
    assert "activations" not in held
    interrupted = 0
    for _ in range(50):
        printed, error = notebook.run(STEP, interrupted_after=random.uniform(0, 0.6 * duration))
        assert printed.startswith("backward\n")  # Python may say that it dropped an interruption, see below
        assert error in (None, "KeyboardInterrupt")  # None: it was quicker
        interrupted += error is not None
        assert notebook.run("1 / 0") == ("", "ZeroDivisionError")  # takes the place of the last traceback
        assert notebook.succeed(HELD) == held
        assert notebook.succeed(STEP + GRADIENTS) == f"backward\n{expected}"
        if interrupted == 4:
            break
    assert interrupted == 4


@pytest.mark.slow
def test_at_every_moment_that_changes_a_mode_and_many_others():
    """In `interrupted.py`: the interruption is raised by a tracer, so no moment is left to chance."""
    total, dangerous, interrupted = map(int, run_script(TRUST / "interrupted.py").stdout.split())
    assert total > 5000
    assert dangerous > 100
    assert interrupted > 0.95 * (dangerous + 200)  # the others came within finalisers of Python's own


class Freed(Exception):
    pass


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
@pytest.mark.parametrize("where", ["_put", "_shrink"])
def test_ctrl_c_while_memory_comes_back_is_raised_a_moment_later(monkeypatch, where):
    """Python drops what a finaliser raises, so mininet asks for the interruption once more."""
    array, original = buffers.empty(buffers.SMALLEST, np.uint8), getattr(buffers, where)

    def interrupted(*arguments):
        monkeypatch.setattr(buffers, where, original)
        raise KeyboardInterrupt

    monkeypatch.setattr(buffers, where, interrupted)
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        del array
        time.sleep(30)
    assert buffers.idle_bytes() <= buffers.get_limit()


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_ctrl_c_while_an_array_is_counted_out_is_raised_a_moment_later(monkeypatch):
    with track_memory() as tracker:
        array, original = buffers.empty(100, np.uint8), tracker._forget

        def interrupted(key):
            monkeypatch.setattr(tracker, "_forget", original)
            raise KeyboardInterrupt

        monkeypatch.setattr(tracker, "_forget", interrupted)
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012
            del array
            time.sleep(30)
        assert tracker.current_bytes == 0
        assert tracker._buffers == {}


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_ctrl_c_comes_again_only_when_the_finaliser_has_ended():
    """However slow it is: within it, Python would drop it once more."""
    ended = []

    def finaliser():
        interrupts.interrupt_soon()
        end = time.monotonic() + 0.1
        while time.monotonic() < end:
            pass
        ended.append(True)

    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        finaliser()
        time.sleep(30)
    assert ended


def test_a_count_that_was_dropped_is_made_good_when_its_place_is_used_again():
    """Ctrl-C at the very start of a finaliser, where nothing can be done about it: the array stays on the list."""
    with track_memory() as tracker:
        array = buffers.empty(100, np.uint8)
        (key,) = tracker._buffers
        entry = tracker._buffers.pop(key)
        del array
        other = np.zeros(300, np.uint8)
        entry.watch = weakref.ref(Freed)  # not `other`
        tracker._buffers[id(other)] = entry
        memory.note(other, "state")
        assert tracker.current_bytes == 300
        assert tracker.current_by_kind["state"] == 300
