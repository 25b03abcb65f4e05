"""Two nets trained in threads, or in processes of each kind; ``python at_once.py threads | fork | spawn | forkserver``.

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

WAYS = ("reversible", "stored", "checkpointed")


def train(seed, steps=6):
    """Weights after some steps of a net that the threads share, and what was drawn at random."""
    manual_seed(seed)
    block = lambda: nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Dropout(0.2))  # noqa: E731
    net = nn.Sequential(
        MomentumNet([block(), block()], backprop=WAYS[seed % 3]), nn.GlobalAvgPool2d(), nn.Linear(16, 3)
    )
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


def in_threads(seeds):
    found, together = {}, threading.Barrier(len(seeds))

    def work(seed):
        together.wait()
        found[seed] = train(seed)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in seeds]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return found


def in_processes(seeds, method):
    context = multiprocessing.get_context(method)
    results = context.SimpleQueue()
    if method == "fork":
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and later warn about fork and threads
    workers = [context.Process(target=child, args=(seed, results), daemon=True) for seed in seeds]
    for worker in workers:
        worker.start()
    found = dict(results.get() for _ in seeds)
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    return found


def main(how):
    faulthandler.dump_traceback_later(100, exit=True)
    set_num_threads(2)
    handed_over, hand_over = [], threads._hand_over
    threads._hand_over = lambda shares: (handed_over.append(len(shares)), hand_over(shares))
    seeds = range(3)
    expected = {seed: train(seed) for seed in seeds}
    assert handed_over, "nothing was shared"
    assert not same(expected[0], expected[1])
    for _ in range(3 if how == "threads" else 1):
        found = in_threads(seeds) if how == "threads" else in_processes(seeds, how)
        assert sorted(found) == list(seeds)
        assert all(same(found[seed], expected[seed]) for seed in seeds)
    assert same(train(0), expected[0])  # and this process goes on as well


if __name__ == "__main__":
    main(sys.argv[1])
