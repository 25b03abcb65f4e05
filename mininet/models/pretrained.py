"""Trained networks that ship with the package, so that you need neither a download nor hours of time."""

import importlib.resources
import math
import pathlib
from typing import Any, Literal, TypedDict, overload

from ..base.checks import one_of
from ..base.files import read_json
from ..base.types import Arithmetic
from ..kernels.exact import as_fraction
from .convert import to_momentum
from .resnet import CifarResNet, resnet20
from .transformer import Transformer
from .weights import load_pytorch_state_dict

_FOLDER = "data/weights"
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
        For another name, or if a file of the package is damaged.

    Examples
    --------
    >>> net, facts = models.pretrained()
    >>> facts["gamma"], facts["classes"][0]
    (0.9, 'airplane')
    """
    one_of("name", name, _NAMES)
    one_of("arithmetic", arithmetic, ("exact", "float"))
    folder = importlib.resources.files("mininet") / _FOLDER
    if name == "moby_dick":
        with importlib.resources.as_file(folder / f"{name}.json") as path:
            text_facts = _text_facts(path)
        sizes = (text_facts[size] for size in ("context", "width", "heads", "blocks"))
        writer = Transformer(len(text_facts["characters"]), *sizes)
        with importlib.resources.as_file(folder / f"{name}.npz") as path:
            load_pytorch_state_dict(writer, path)
        return to_momentum(writer, text_facts["gamma"], arithmetic=arithmetic).eval(), text_facts
    with importlib.resources.as_file(folder / f"{name}.json") as path:
        facts = _facts(path)
    with importlib.resources.as_file(folder / f"{name}_confusion.json") as path:
        facts["confusion"] = _confusion(path, len(facts["classes"]))
    net = resnet20(len(facts["classes"]))
    with importlib.resources.as_file(folder / f"{name}.npz") as path:
        load_pytorch_state_dict(net, path)
    return to_momentum(net, facts["gamma"], arithmetic=arithmetic).eval(), facts


def _text_facts(path: pathlib.Path) -> Any:
    """Read the facts about a transformer."""
    facts = _read(path, {
        "gamma": float, "characters": str, "context": int, "width": int, "heads": int, "blocks": int,
        "validation_loss": float, "test_loss": float, "command": str,
    })  # fmt: skip
    if not all(0 < facts[size] < 2**16 for size in ("context", "width", "heads", "blocks")) or not facts["characters"]:
        raise ValueError(f"{path} must have positive sizes, and characters")
    return facts


def _read(path: pathlib.Path, kinds: dict[str, type]) -> Any:
    """Read facts, which must be complete and of the right kinds."""
    facts = read_json(path)
    found = {name: type(facts.get(name)) for name in kinds} if isinstance(facts, dict) else {}
    if found != kinds:
        raise ValueError(f"{path} must have {', '.join(kinds)}, of the kinds that go with them")
    try:
        as_fraction(facts["gamma"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return facts


def _facts(path: pathlib.Path) -> Any:
    """Read the facts about a classifier."""
    kinds = {"gamma": float, "test_accuracy": float, "mean": list, "deviation": list, "classes": list, "command": str}
    facts = _read(path, kinds)
    if not 0 <= facts["test_accuracy"] <= 1:
        raise ValueError(f"{path} must have a share as test_accuracy, got {facts['test_accuracy']}")
    colours = [*facts["mean"], *facts["deviation"]]
    if len(facts["mean"]) != 3 or len(facts["deviation"]) != 3 or not all(map(_is_number, colours)):
        raise ValueError(f"{path} must have three numbers as mean and as deviation")
    if not facts["classes"] or not all(isinstance(name, str) for name in facts["classes"]):
        raise ValueError(f"{path} must have names as classes")
    return facts


def _confusion(path: pathlib.Path, classes: int) -> list[list[int]]:
    found = read_json(path)
    counts = found.get("confusion") if isinstance(found, dict) else None
    rows: list[Any] = counts if isinstance(counts, list) and len(counts) == classes else [None]
    if not all(isinstance(row, list) and len(row) == classes for row in rows):
        raise ValueError(f"{path} must have {classes} lists of {classes} counts as confusion")
    if not all(type(count) is int and 0 <= count < 2**63 for row in rows for count in row):
        raise ValueError(f"{path} must have counts as confusion")
    return rows


def _is_number(value: object) -> bool:
    return type(value) is float and math.isfinite(value)
