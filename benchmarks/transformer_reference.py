"""Logits and gradients of a small transformer in PyTorch, recorded for the tests.

    python -m benchmarks.transformer_reference tests/models/transformer.npz

The file holds weights in the layout of PyTorch's linear layers, tokens, and for each gamma the logits, the loss and all
gradients, of float64 computations.  It also has attention, layer norm and GELU by themselves.
"""

import argparse

import numpy as np
import torch
from torch.nn import functional

from mininet.base.files import written_atomically

from .torch_transformer import Transformer

SIZES = {"vocabulary": 11, "context": 70, "width": 12, "heads": 2, "blocks": 2}
GAMMAS = (0.0, 0.9)
OPERATIONS = {
    "attention": lambda x: _attention(x, 2),
    "layer_norm": lambda x: functional.layer_norm(x, (18,)),
    "gelu.none": functional.gelu,
    "gelu.tanh": lambda x: functional.gelu(x, approximate="tanh"),
}


def _attention(x, heads):
    batch, time, wide = x.shape
    parts = x.reshape(batch, time, 3, heads, wide // 3 // heads).permute(2, 0, 3, 1, 4)
    return functional.scaled_dot_product_attention(*parts, is_causal=True).transpose(1, 2).reshape(batch, time, -1)


def record():
    """All arrays by name."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    net = Transformer(**SIZES)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.copy_((torch.randn(parameter.shape) * 0.3 + ("ln_" in name)).float())
    tokens = torch.randint(SIZES["vocabulary"], (2, SIZES["context"]))
    found = {f"weights.{name}": value.detach().float().numpy() for name, value in net.named_parameters()}
    found["tokens"] = tokens.numpy()
    for gamma in GAMMAS:
        net.gamma = gamma
        net.zero_grad()
        logits = net(tokens)
        loss = functional.cross_entropy(logits.reshape(-1, SIZES["vocabulary"]), tokens.roll(-1, 1).reshape(-1))
        loss.backward()
        found[f"{gamma}.logits"], found[f"{gamma}.loss"] = logits.detach().numpy(), loss.detach().numpy()
        found.update({f"{gamma}.{name}": value.grad.numpy().copy() for name, value in net.named_parameters()})
    for name, operation in OPERATIONS.items():
        x = torch.randn(1, 70, 18, requires_grad=True)
        out = operation(x)
        out.backward(torch.cos(torch.arange(out.numel(), dtype=torch.float64)).reshape(out.shape))
        found.update({f"{name}.x": x.detach().numpy(), f"{name}.out": out.detach().numpy(),
                      f"{name}.gradient": x.grad.numpy()})  # fmt: skip
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path")
    with written_atomically(parser.parse_args().path) as path:
        np.savez_compressed(path, **record())
