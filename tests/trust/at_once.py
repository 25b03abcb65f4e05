"""Nets trained at the same time in threads, and in processes of each kind: ``python at_once.py threads fork ...``.

Everything is first computed here, one after the other, with mininet's threads running; exits with 0 if all agree.
"""

import faulthandler
import multiprocessing
import sys
import threading
import warnings

import numpy as np

from mininet import MomentumNet, Tensor, manual_seed, nn, optim, set_num_threads
from mininet import functional as F
from mininet.kernels import threads

WAYS = ("reversible", "stored")


def train(seed, steps=2):
    """Weights after some steps of a net that the threads share."""
    manual_seed(seed)
    block = lambda: nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Dropout(0.2))  # noqa: E731
    net = nn.Sequential(MomentumNet([block(), block()], backprop=WAYS[seed]), nn.GlobalAvgPool2d(), nn.Linear(16, 3))
    optimizer = optim.SGD(net.parameters(), 0.1, momentum=0.9)
    x = np.random.default_rng(seed).standard_normal((128, 8, 8, 16)).astype(np.float32)
    for _ in range(steps):
        net.zero_grad()
        F.cross_entropy(net(Tensor(x)), np.arange(128) % 3).backward()
        optimizer.step()
    return net.state_dict()


def child(seed, results):
    set_num_threads(2)
    results.put((seed, train(seed)))


def same(ours, theirs):
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)


def at_once(seeds, how):
    if how == "threads":
        found, together = {}, threading.Barrier(len(seeds))
        workers = [
            threading.Thread(target=lambda seed: (together.wait(), found.update({seed: train(seed)})), args=(seed,))
            for seed in seeds
        ]
    else:
        context = multiprocessing.get_context(how)
        results = context.SimpleQueue()
        workers = [context.Process(target=child, args=(seed, results), daemon=True) for seed in seeds]
    for worker in workers:
        worker.start()
    if how != "threads":
        found = dict(results.get() for _ in seeds)
    for worker in workers:
        worker.join()
    return found


def main(ways):
    faulthandler.dump_traceback_later(100, exit=True)
    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and later warn about fork and threads
    set_num_threads(2)
    handed_over, hand_over = [], threads._hand_over
    threads._hand_over = lambda shares: (handed_over.append(len(shares)), hand_over(shares))
    seeds = range(len(WAYS))
    expected = {seed: train(seed) for seed in seeds}
    assert handed_over, "nothing was shared"
    assert not same(expected[0], expected[1])
    for how in ways:
        found = at_once(seeds, how)
        assert sorted(found) == list(seeds), how
        assert all(same(found[seed], expected[seed]) for seed in seeds), how
    assert same(train(0), expected[0])  # and this process goes on as well


if __name__ == "__main__":
    main(sys.argv[1:])
