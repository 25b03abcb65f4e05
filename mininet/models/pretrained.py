"""Trained networks that ship with the package, so that you need neither a download nor hours of time."""

import importlib.resources
from typing import Any, Literal, TypedDict, overload

from ..base.checks import one_of
from ..base.files import read_json
from ..base.types import Arithmetic
from .convert import to_momentum
from .resnet import CifarResNet, resnet20
from .transformer import Transformer
from .weights import load_pytorch_state_dict

_NAMES = ("momentum_resnet20", "moby_dick")


class Facts(TypedDict):
    """What is known about a trained network; see `pretrained`."""

    gamma: float
    mean: list[float]
    deviation: list[float]
    classes: list[str]
    test_accuracy: float
    confusion: list[list[int]]
    command: str


class TextFacts(TypedDict):
    """What is known about a trained transformer; see `pretrained`."""

    gamma: float
    characters: str
    context: int
    width: int
    heads: int
    blocks: int
    validation_loss: float
    test_loss: float
    command: str


@overload
def pretrained(
    name: Literal["momentum_resnet20"] = "momentum_resnet20", arithmetic: Arithmetic = "exact"
) -> tuple[CifarResNet, Facts]: ...
@overload
def pretrained(name: Literal["moby_dick"], arithmetic: Arithmetic = "exact") -> tuple[Transformer, TextFacts]: ...
def pretrained(name: str = "momentum_resnet20", arithmetic: Arithmetic = "exact") -> Any:
    """Load a trained network in evaluation mode, and what is known about it.

    Parameters
    ----------
    name : str
        "momentum_resnet20" is a Momentum ResNet-20 for CIFAR-10; "moby_dick" is a momentum transformer that has read
        the novel.
    arithmetic : "exact" or "float"
        As for `MomentumNet`.

    Returns
    -------
    net : Module
        From normalised images (n, 32, 32, 3) to logits (n, 10); or from characters (n, time) of `datasets.moby_dick`,
        as integers, to logits (n, time, 89).
    facts : dict
        ``gamma``, and ``command``, how it was trained.
        Of the classifier: ``mean`` and ``deviation`` of the channels for `datasets.augmentation.normalized`;
        ``classes``, their names; ``test_accuracy``; ``confusion``, how many test images of each class (outer list) the
        network takes for each class (inner lists).
        Of the transformer: ``context``, ``width``, ``heads`` and ``blocks``; ``characters``; ``validation_loss`` and
        ``test_loss`` in nats per character.

    Raises
    ------
    ValueError
        For another name, or if a file of the package cannot be read.

    Examples
    --------
    >>> net, facts = models.pretrained()
    >>> facts["gamma"], facts["classes"][0]
    (0.5, 'airplane')
    """
    one_of("name", name, _NAMES)
    one_of("arithmetic", arithmetic, ("exact", "float"))
    folder = importlib.resources.files("mininet") / "data/weights"

    def read(file: str) -> Any:
        with importlib.resources.as_file(folder / file) as path:
            return read_json(path)

    facts = read(f"{name}.json")
    net: CifarResNet | Transformer
    if name == "moby_dick":
        sizes = (facts[size] for size in ("context", "width", "heads", "blocks"))
        net = Transformer(len(facts["characters"]), *sizes)
    else:
        facts["confusion"] = read(f"{name}_confusion.json")["confusion"]
        net = resnet20(len(facts["classes"]))
    with importlib.resources.as_file(folder / f"{name}.npz") as path:
        load_pytorch_state_dict(net, path)
    return to_momentum(net, facts["gamma"], arithmetic=arithmetic).eval(), facts
