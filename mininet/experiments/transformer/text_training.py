"""Training transformers on a novel, character by character: networks and settings by name."""

import dataclasses
from typing import Any

from matplotlib.figure import Figure

from ... import datasets, models, optim, plotting, seeding
from ...autodiff import Tensor, no_grad
from ...autodiff import functional as F
from ...base.changes import changed
from ...base.checks import instance, integer, one_of
from ...base.types import AnyArray, Arithmetic, Backprop
from ...datasets.text import TextBatches
from ...models.transformer import KINDS, Kind
from ...nn import Module
from ...training import Training

TEST_BATCH = 32


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is trained, and how: AdamW, whose rate rises in the first steps, then falls along a cosine."""

    kind: Kind = "momentum"  # the rule of the layers: one of `KINDS`
    gamma: float = 0.9  # where the rule has momentum
    arithmetic: Arithmetic = "exact"
    backprop: Backprop | None = None  # of momentum networks and RevNets
    blocks: int = 4
    width: int = 128
    heads: int = 4
    context: int = 128
    dropout: float = 0.0
    epochs: int = 8
    batch_size: int = 8
    learning_rate: float = 3e-3
    warmup: int = 100  # steps
    weight_decay: float = 0.1
    seed: int = 0


def settings_for(arguments: Any) -> Settings:
    """`Settings` of the command line: with a gamma the layers have momentum."""
    names = {field.name for field in dataclasses.fields(Settings)} & vars(arguments).keys()
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    backprop, has_gamma = given.get("backprop"), "gamma" in given
    kind: Kind = "momentum" if has_gamma else "checkpointed" if backprop == "checkpointed" else "residual"
    if arguments.network == "transformer_revnet":
        if has_gamma:
            raise ValueError(f"gamma must be None for transformer_revnet, got {arguments.gamma}")
        kind = "revnet"
    if kind == "residual" and backprop == "reversible":
        raise ValueError("backprop must be stored or checkpointed without gamma: residual layers cannot be run back")
    return Settings(kind=kind, **given)


@dataclasses.dataclass
class TextEpoch:
    """What one epoch gave: losses are in nats per character."""

    loss: float
    train_accuracy: float
    validation_loss: float
    learning_rate: float
    characters_per_second: float


class TextTraining(Training):
    """Training of a network that maps tokens (n, time) to logits (n, time, vocabulary)."""

    epoch_kind = TextEpoch
    unit = "characters"

    def _loss_of(self, images: AnyArray, labels: AnyArray) -> tuple[Tensor, int]:
        return _loss_of(self.net, images, labels)

    def _test(self) -> float:
        return validation_loss(self.net, self.test_batches)

    def _draw(self) -> Figure:
        history: list[Any] = self.history
        with plotting.figure() as (figure, axes):
            epochs = range(1, len(history) + 1)
            axes.plot(epochs, [epoch.loss for epoch in history], ".-", label="training")
            axes.plot(epochs, [epoch.validation_loss for epoch in history], ".-", label="validation")
            axes.set(xlabel="epoch", title="loss [nats per character]")
            axes.legend()
        return figure


def _loss_of(net: Module, tokens: AnyArray, following: AnyArray) -> tuple[Tensor, int]:
    """Mean cross-entropy, and how many of `following` are the likeliest."""
    logits = net(tokens)
    flat = F.reshape(logits, -1, logits.shape[-1])
    return F.cross_entropy(flat, following.reshape(-1)), int((logits.data.argmax(axis=-1) == following).sum())


def validation_loss(net: Module, batches: datasets.Batches) -> float:
    """Mean cross-entropy of all windows in nats per character, in evaluation mode; modes stay as they are."""
    total = count = 0.0
    with changed([(module, "training", module.training) for module in net.modules()]), no_grad():
        net.eval()
        for tokens, following in batches.of_epoch(0):
            total += _loss_of(net, tokens, following)[0].item() * following.size
            count += following.size
    return total / count


@seeding.restored_on_error()
def network(settings: Settings, vocabulary: int) -> models.Transformer:
    """The network that `settings` names, with weights drawn from its seed; other rules get the same weights."""
    one_of("kind", settings.kind, KINDS)
    seeding.manual_seed(settings.seed)
    net = models.Transformer(
        vocabulary, settings.context, settings.width, settings.heads, settings.blocks, settings.dropout
    )
    return net.with_layers(settings.kind, settings.gamma, settings.arithmetic, settings.backprop)


def groups(net: Module, weight_decay: float) -> list[dict[str, Any]]:
    """The parameters in two groups: matrices, which decay, and all others."""
    parameters = list(net.parameters())
    return [
        {"params": [each for each in parameters if each.ndim == 2], "weight_decay": weight_decay},
        {"params": [each for each in parameters if each.ndim != 2], "weight_decay": 0.0},
    ]


@seeding.restored_on_error()
def training(settings: Settings, text: datasets.Text, folder: Any = None, **keywords: Any) -> TextTraining:
    """A `TextTraining` of `settings`; the other arguments are those of `Training`."""
    instance("settings", settings, Settings)
    integer("epochs", settings.epochs, 1)
    net = network(settings, len(text.characters))
    batches = TextBatches(text.train, settings.context, settings.batch_size, settings.seed)
    optimizer = optim.AdamW(
        groups(net, settings.weight_decay), settings.learning_rate, betas=(0.9, 0.99), weight_decay=0.0
    )
    schedule = optim.CosineDecay(
        optimizer, settings.epochs * len(batches), min(settings.warmup, settings.epochs * len(batches) // 2)
    )
    return TextTraining(
        net, optimizer, schedule, batches, test_batches(settings, text.validation), settings.epochs, folder,
        dataclasses.asdict(settings), **keywords,
    )  # fmt: skip


def test_batches(settings: Settings, tokens: AnyArray) -> TextBatches:
    """Windows of `tokens` in order."""
    return TextBatches(tokens, settings.context, TEST_BATCH, shuffle=False)


def sample(net: models.Transformer, text: datasets.Text, start: str, count: int, **settings: Any) -> str:
    """`start`, continued by `count` characters; the settings are those of `Transformer.generate`."""
    return text.decode(net.generate(text.encode(start)[None], count, **settings)[0])
