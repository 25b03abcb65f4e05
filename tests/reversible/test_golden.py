"""Values and gradients against those of the authors' package, computed in float64 and committed as data."""

import json
import pathlib

import numpy as np
import pytest
from reversible_support import MODES, TwoInputs

from mininet import MomentumNet, Tensor, nn

FILES = sorted((pathlib.Path(__file__).parents[1] / "golden").glob("*.npz"))
NAMES = (
    "conv_batchnorm", "mlp", "mlp_gamma_zero", "mlp_learned_velocity", "mlp_not_residual", "mlp_tied", "two_inputs",
)  # fmt: skip
CASES = [
    pytest.param(path, arithmetic, backprop, id=f"{path.stem}-{arithmetic}-{backprop}")
    for path in FILES
    for arithmetic, backprop in MODES
    if backprop == "stored" or path.stem != "mlp_gamma_zero"  # a plain residual network cannot be run back
]


def tolerances(arithmetic, backprop, expected):
    """The limits the design sets: relative to the largest value for floats, absolute where x has a unit of 2^-40."""
    if arithmetic == "exact":
        return {"rtol": 0, "atol": 1e-8}
    limit = 1e-8 if backprop == "reversible" else 1e-10
    return {"rtol": limit, "atol": limit * np.abs(expected).max()}


def build(case, meta, **settings):
    features = case["x"].shape[-1]

    def block(prefix):
        if f"{prefix}.layer1.weight" in case:
            return TwoInputs(features, case["extra0"].shape[-1])
        hidden = case[f"{prefix}.0.weight"].shape[-1]
        if case[f"{prefix}.0.weight"].ndim == 4:
            return nn.Sequential(
                nn.Conv2d(features, hidden, 3, padding=1, bias=False),
                nn.BatchNorm2d(hidden, meta["eps"], meta["momentum"]),
                nn.ReLU(),
                nn.Conv2d(hidden, features, 3, padding=1, bias=False),
                nn.BatchNorm2d(features, meta["eps"], meta["momentum"]),
            )
        return nn.Sequential(nn.Linear(features, hidden), nn.Tanh(), nn.Linear(hidden, features))

    numbers = range(meta["depth"])
    functions = [block("function0")] * len(numbers) if meta.get("tied") else [block(f"function{i}") for i in numbers]
    start = block("init") if meta["learned_velocity"] else None
    net = MomentumNet(functions, meta["gamma"], start, meta["is_residual"], **settings).to(np.float64)
    net.load_state_dict({name: case[theirs(name)] for name in net.state_dict()})
    return net


def theirs(name):
    """Our dotted name in the naming of the files."""
    return name.replace("functions.", "function").replace("init_velocity.", "init.")


def test_all_files_are_there():
    assert tuple(path.stem for path in FILES) == NAMES


@pytest.mark.parametrize(("path", "arithmetic", "backprop"), CASES)
def test_agrees_with_the_authors_package(path, arithmetic, backprop):
    with np.load(path) as file:
        case = dict(file)
    meta = json.loads(str(case["meta"]))
    net = build(case, meta, arithmetic=arithmetic, backprop=backprop)
    x = Tensor(case["x"], requires_grad=True)
    extras = [Tensor(case["extra0"], requires_grad=True)] if "extra0" in case else []
    y = net(x, *extras)
    (y * Tensor(case["c"])).sum().backward()

    found = {"y": y.data, "grad.x": x.grad}
    found |= {f"grad.extra{i}": extra.grad for i, extra in enumerate(extras)}
    found |= {f"grad.{theirs(name)}": parameter.grad for name, parameter in net.named_parameters()}
    found |= {f"after.{theirs(name)}": array for name, array in net.named_buffers()}
    for name, array in found.items():
        expected = case[name]
        np.testing.assert_allclose(array, expected, err_msg=name, **tolerances(arithmetic, backprop, expected))

    wanted = {name for name in case if name.startswith(("grad.", "after.")) and "num_batches" not in name}
    if meta.get("tied"):  # the file repeats the shared function under every layer
        wanted = {name for name in wanted if not name.startswith("grad.function") or "function0" in name}
    assert wanted <= found.keys()
