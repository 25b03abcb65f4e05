"""Promise: Ctrl-C may come at any moment.

It ends what is under way with a KeyboardInterrupt, before the next operation and without a hang.  Afterwards everything
can be used as if nothing had happened: the same step gives the same gradients, to the last bit, and no memory is lost.
(Until the next exception, a notebook itself keeps what the interrupted functions held, for `%debug` and the like.)
"""

import os

import pytest
from trust_support import run_script

pytestmark = pytest.mark.slow

SCRIPT = """
import gc, os, random, signal, threading, time
import numpy as np
from mininet import MomentumNet, manual_seed, nn, set_num_threads, track_memory

def block():
    return nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Dropout(0.2))

def step():
    manual_seed(1)
    net.zero_grad()
    (net(x) ** 2).mean().backward()

def gradients():
    step()
    return [parameter.grad.tobytes() for parameter in net.parameters()]

def held():
    net.zero_grad()
    gc.collect()
    return {kind: count for kind, count in tracker.current_by_kind.items() if count and kind != "idle buffers"}

set_num_threads(2)
with track_memory() as tracker:
    manual_seed(0)
    net = MomentumNet([block() for _ in range(10)], gamma=0.9)
    x = np.random.default_rng(0).standard_normal((128, 8, 8, 16)).astype(np.float32)
    step()
    start = time.monotonic()
    expected = gradients()
    duration, before, interrupted = time.monotonic() - start, held(), 0
    assert "activations" not in before
    for _ in range(10):
        timer = threading.Timer(random.uniform(0, duration), os.kill, (os.getpid(), signal.SIGINT))
        try:
            timer.start()
            step()
            timer.join()
            time.sleep(1)
        except KeyboardInterrupt:
            interrupted += 1
        assert held() == before
        assert gradients() == expected
print(interrupted)
"""


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_in_the_middle_of_a_step():
    assert run_script("-c", SCRIPT).stdout == "10\n"
