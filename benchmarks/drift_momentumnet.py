"""How far the inversion of the authors' package drifts, recorded for the experiment `drift`.

    python -m benchmarks.drift_momentumnet mininet/data/drift_momentumnet.json

The networks are those of `mininet.experiments.drift`, with the same weights, in float32.  The package does not give out
the x_0 that its backward pass comes back to; a hook on the first function sees it.
"""

import argparse
import dataclasses
import importlib.metadata
import json

import numpy as np
import torch
from momentumnet import MomentumNet

from mininet.base.files import written_atomically
from mininet.experiments.drift import drift


def twin(function):
    """A function Linear - tanh - Linear of ours as a PyTorch module."""
    modules = []
    for layer in (function[0], function[2]):
        modules += [torch.nn.Linear(layer.in_features, layer.out_features), torch.nn.Tanh()]
        modules[-2].weight.data = torch.from_numpy(layer.weight.data.T.copy())
        modules[-2].bias.data = torch.from_numpy(layer.bias.data.copy())
    return torch.nn.Sequential(*modules[:-1])


def gradients(functions, gamma, x, use_backprop):
    """Gradients as `drift.gradients` has them, and what the first function was last called with."""
    seen = []
    hook = functions[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().numpy().copy()))
    net = MomentumNet(functions, gamma=gamma, use_backprop=use_backprop)
    net.zero_grad()
    x = torch.from_numpy(x.copy()).requires_grad_()
    (net(x) ** 2).mean().backward()
    hook.remove()
    return np.concatenate([tensor.grad.numpy().ravel() for tensor in (x, *net.parameters())]), seen[-1]


def measure(gamma, settings):
    """Errors of x_0 and of the gradients by depth, as `drift.measure` defines them, and the norm of the stored ones."""
    depths = drift.depths_for(gamma)
    x, functions = drift.inputs(settings), [*map(twin, drift.functions(max(depths), gamma, settings))]
    found = {"depths": depths, "position": [], "gradient": [], "gradient_norm": []}
    for depth in depths:
        memory_free, came_back = gradients(functions[:depth], gamma, x, use_backprop=False)
        stored, _ = gradients(functions[:depth], gamma, x, use_backprop=True)
        norm = drift.root_mean_square(stored)
        found["position"].append(drift.root_mean_square(came_back - x))
        found["gradient"].append(drift.root_mean_square(memory_free - stored) / norm)
        found["gradient_norm"].append(norm * len(stored) ** 0.5)
    return {
        name: [float(f"{value:.6g}") if isinstance(value, float) else value for value in values]
        for name, values in found.items()
    }


def main():
    """Make the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path")
    path = parser.parse_args().path
    settings = drift.Settings()
    found = {
        "about": "errors of x_0 and of gradients by depth, made by benchmarks/drift_momentumnet.py",
        "made_by": {name: importlib.metadata.version(name) for name in ("momentumnet", "torch")},
        "settings": dataclasses.asdict(settings),
        "drift": {f"{gamma:g}": measure(gamma, settings) for gamma in drift.GAMMAS},
    }
    with written_atomically(path) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
