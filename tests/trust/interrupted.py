"""Ctrl-C at chosen moments of a training step, reproducibly; ``python interrupted.py``.

Python looks for signals where a function begins, after a call of one written in C, and at the end of a loop's turn.  A
tracer counts such moments in mininet and raises KeyboardInterrupt at one of them, as a signal would; the traceback is
kept, as notebooks do.  Then everything must be as before, and the next step give the same gradients.
"""

import dis
import os
import random
import signal
import sys

import numpy as np

import mininet
from mininet import MomentumNet, Tensor, manual_seed, nn, seeding, set_num_threads
from mininet.autodiff.tape import is_recording, is_replaying

FOLDER = os.path.dirname(mininet.__file__)
AFTER = {"CALL", "CALL_FUNCTION_EX", "CALL_KW", "JUMP_BACKWARD", "CALL_FUNCTION", "CALL_METHOD", "JUMP_ABSOLUTE"}
CHOSEN = 30
"""So many of the moments that change no mode, beside the first and last of each place that changes one."""


class Tracer:
    """Interrupts at moment number `at`; with 0 it takes down the places, files and functions."""

    def __init__(self, at=0):
        self.at, self.count, self.places = at, 0, []
        self._last = {}

    def __call__(self, frame, event, argument):
        code = frame.f_code
        # what these raise is dropped by Python
        if not code.co_filename.startswith(FOLDER) or code.co_name in ("__del__", "_put", "forget"):
            return None
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            self._moment(frame)
        elif event == "opcode":
            last = self._last.get(frame)
            if last is not None and dis.opname[code.co_code[last]] in AFTER:
                self._moment(frame)
            self._last[frame] = frame.f_lasti
        else:
            self._last.pop(frame, None)
        return self

    def _moment(self, frame):
        self.count += 1
        if self.at == 0:
            self.places.append((os.path.basename(frame.f_code.co_filename), frame.f_code.co_name, frame.f_lasti))
        if self.count == self.at:
            self._last.clear()
            sys.settrace(None)
            signal.getsignal(signal.SIGINT)(signal.SIGINT, frame)  # raises, or notes it for the next operation


def make():
    manual_seed(0)
    blocks = [nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Dropout(0.3)) for _ in range(2)]
    net = nn.Sequential(MomentumNet(blocks, gamma=0.9), nn.Linear(3, 2))
    blocks[1].eval()
    x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    goes_back = []

    def step():
        net.zero_grad()
        seeding.restore((0, 100))
        goes_back.clear()
        blocks[0].train()
        loss = (net(Tensor(x)) ** 2).mean()
        blocks[0].eval()  # the way back must use the mode of the way there
        goes_back.append(True)
        loss.backward()

    return net, blocks, step, goes_back


def traced(step, at):
    tracer = Tracer(at)
    sys.settrace(tracer)
    try:
        step()
    finally:
        sys.settrace(None)
    return tracer


def main():
    set_num_threads(1)
    net, blocks, step, goes_back = make()
    step()
    expected = [parameter.grad.copy() for parameter in net.parameters()]
    places = traced(step, 0).places
    moments = [(place, at) for at, place in enumerate(places, 1)]
    passed = [(place, at) for place, at in moments if place[0] in ("changes.py", "interrupts.py", "seeding.py")]
    dangerous = sorted({*dict(passed[::-1]).values(), *dict(passed).values()})
    others = sorted(set(range(1, len(places) + 1)) - {at for _, at in passed})
    interrupted, kept = 0, None
    for at in dangerous + random.Random(0).sample(others, CHOSEN):
        try:
            traced(step, at)
        except KeyboardInterrupt as error:
            interrupted, kept = interrupted + 1, error
        assert (is_recording(), is_replaying()) == (True, False), places[at - 1]
        assert seeding.position()[0] == 0
        assert seeding.position()[1] >= 100
        assert not blocks[1].training
        assert not (goes_back and blocks[0].training), places[at - 1]
        step()
        for gradient, parameter in zip(expected, net.parameters(), strict=True):
            assert np.array_equal(gradient, parameter.grad), places[at - 1]
    assert kept is not None
    print(len(places), len(dangerous), interrupted)


if __name__ == "__main__":
    main()
