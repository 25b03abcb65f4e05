"""Networks with weights that ship with the package: trained ones without a network or hours of time."""

import importlib.resources
import math

from ..checks import one_of
from ..files import read_json
from ..kernels.exact import as_fraction
from .convert import to_momentum
from .resnet import resnet20
from .weights import load_pytorch_state_dict

_FOLDER = "data/weights"
_NETWORKS = {"momentum_resnet20": resnet20}


def pretrained(name="momentum_resnet20", arithmetic="exact"):
    """A trained network in evaluation mode, and what is known of it.

    Parameters
    ----------
    name : {"momentum_resnet20"}
        A Momentum ResNet-20 for CIFAR-10.
    arithmetic : {"exact", "float"}

    Raises
    ------
    ValueError
        For another name, or if a file of the package is damaged.

    Returns
    -------
    net : Module
        From images (n, 32, 32, 3), normalised, to logits (n, 10).
    facts : dict
        ``gamma``; ``mean`` and ``deviation`` of the channels that images, scaled to 0..1, are normalised with (see
        `datasets.augmentation.normalized`); ``classes``, names; ``test_accuracy``; ``confusion``, how many test images
        of each class (outer list) it takes for each (inner lists); ``command``, how it was trained.
    """
    one_of("name", name, _NETWORKS)
    one_of("arithmetic", arithmetic, ("exact", "float"))
    folder = importlib.resources.files("mininet") / _FOLDER
    with importlib.resources.as_file(folder / f"{name}.json") as path:
        facts = _facts(path)
    with importlib.resources.as_file(folder / f"{name}_confusion.json") as path:
        facts["confusion"] = _confusion(path, len(facts["classes"]))
    net = _NETWORKS[name](len(facts["classes"]))
    with importlib.resources.as_file(folder / f"{name}.npz") as path:
        load_pytorch_state_dict(net, path)
    return to_momentum(net, facts["gamma"], arithmetic=arithmetic).eval(), facts


def _facts(path):
    """What a file says of a network, if that is all that is needed."""
    facts = read_json(path)
    kinds = {"gamma": float, "test_accuracy": float, "mean": list, "deviation": list, "classes": list, "command": str}
    found = {name: type(facts.get(name)) for name in kinds} if isinstance(facts, dict) else {}
    if found != kinds:
        raise ValueError(f"{path} must have {', '.join(kinds)}, of the kinds that go with them")
    try:
        as_fraction(facts["gamma"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if not 0 <= facts["test_accuracy"] <= 1:
        raise ValueError(f"{path} must have a share as test_accuracy, got {facts['test_accuracy']}")
    colours = [*facts["mean"], *facts["deviation"]]
    if len(facts["mean"]) != 3 or len(facts["deviation"]) != 3 or not all(map(_is_number, colours)):
        raise ValueError(f"{path} must have three numbers as mean and as deviation")
    if not facts["classes"] or not all(isinstance(name, str) for name in facts["classes"]):
        raise ValueError(f"{path} must have names as classes")
    return facts


def _confusion(path, classes):
    found = read_json(path)
    counts = found.get("confusion") if isinstance(found, dict) else None
    rows = counts if isinstance(counts, list) and len(counts) == classes else [None]
    if not all(isinstance(row, list) and len(row) == classes for row in rows):
        raise ValueError(f"{path} must have {classes} lists of {classes} counts as confusion")
    if not all(type(count) is int and 0 <= count < 2**63 for row in rows for count in row):
        raise ValueError(f"{path} must have counts as confusion")
    return counts


def _is_number(value):
    return type(value) is float and math.isfinite(value)
