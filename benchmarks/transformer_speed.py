"""A training step of the exact momentum transformer, memory-free, against PyTorch with stored activations.

    python -m benchmarks.transformer_speed [--rounds 3] [--only 0]

PyTorch's attention is fused.  Both take AdamW's step.  Processes alternate, and each reports the median of its steps.
"""

import argparse
import statistics
import subprocess
import sys
import time

import numpy as np

SIZES = (
    {"context": 128, "width": 128, "heads": 4, "blocks": 6, "batch": 16},
    {"context": 256, "width": 256, "heads": 8, "blocks": 12, "batch": 4},
)
VOCABULARY, GAMMA = 89, 0.9
WARM_UP_SECONDS, SECONDS = 2.0, 4.0


def _tokens(batch, context):
    tokens = np.random.default_rng(0).integers(0, VOCABULARY, (batch, context + 1))
    return tokens[:, :-1].copy(), tokens[:, 1:].copy()


def _with_torch(batch, **sizes):
    import torch

    from .torch_transformer import Transformer

    net = Transformer(VOCABULARY, gamma=GAMMA, **sizes)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4)
    tokens, following = map(torch.from_numpy, _tokens(batch, sizes["context"]))

    def step():
        optimizer.zero_grad()
        logits = net(tokens)
        torch.nn.functional.cross_entropy(logits.reshape(-1, VOCABULARY), following.reshape(-1)).backward()
        optimizer.step()

    return step


def _with_mininet(batch, **sizes):
    from mininet import functional as F
    from mininet import models, optim

    net = models.to_momentum(models.Transformer(VOCABULARY, **sizes), GAMMA)
    optimizer = optim.AdamW(net.parameters(), 1e-4)
    tokens, following = _tokens(batch, sizes["context"])

    def step():
        net.zero_grad()
        logits = net(tokens)
        F.cross_entropy(F.reshape(logits, -1, VOCABULARY), following.reshape(-1)).backward()
        optimizer.step()

    return step


def _median_of_steps(step):
    taken = []
    for seconds in (WARM_UP_SECONDS, SECONDS):
        taken, end = [], time.perf_counter() + seconds
        while time.perf_counter() < end or len(taken) < 3:
            start = time.perf_counter()
            step()
            taken.append(time.perf_counter() - start)
    return statistics.median(taken)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", type=int)
    parser.add_argument("--worker", nargs=2)
    arguments = parser.parse_args()
    if arguments.worker:
        what, number = arguments.worker
        make = {"torch": _with_torch, "mininet": _with_mininet}[what]
        print(_median_of_steps(make(**SIZES[int(number)])))
        sys.exit()
    for number, sizes in enumerate(SIZES):
        if arguments.only not in (None, number):
            continue
        found = {"torch": [], "mininet": []}
        for _ in range(arguments.rounds):
            for what, seconds in found.items():
                command = [sys.executable, "-m", "benchmarks.transformer_speed", "--worker", what, str(number)]
                seconds.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        ratios = [theirs / ours for theirs, ours in zip(found["torch"], found["mininet"], strict=True)]
        print(sizes, {what: [round(1e3 * each, 1) for each in seconds] for what, seconds in found.items()},
              f"speed against PyTorch {statistics.median(ratios):.2f}", flush=True)  # fmt: skip
