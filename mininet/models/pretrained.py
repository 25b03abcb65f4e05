"""Networks with weights that ship with the package: trained ones without a network or hours of time."""

import importlib.resources
import json

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

    Returns
    -------
    net : Module
        From images (n, 32, 32, 3), normalised, to logits (n, 10).
    facts : dict
        ``gamma``; ``mean`` and ``deviation`` of the channels that images, scaled to 0..1, are normalised with (see
        `datasets.augmentation.normalized`); ``classes``, names; ``test_accuracy``; ``confusion``, how many test images
        of each class (outer list) it takes for each (inner lists); ``command``, how it was trained.
    """
    if name not in _NETWORKS:
        raise ValueError(f"name must be one of {', '.join(_NETWORKS)}, got {name!r}")
    folder = importlib.resources.files("mininet") / _FOLDER
    facts = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    facts["confusion"] = json.loads((folder / f"{name}_confusion.json").read_text(encoding="utf-8"))["confusion"]
    net = _NETWORKS[name](len(facts["classes"]))
    with importlib.resources.as_file(folder / f"{name}.npz") as path:
        load_pytorch_state_dict(net, path)
    return to_momentum(net, facts["gamma"], arithmetic=arithmetic).eval(), facts
