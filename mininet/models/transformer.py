"""A transformer that writes, with the names and the layout of GPT-2 (Radford et al., 2019), and its momentum networks.

A block is two layers of a residual network (pre-norm, Xiong et al., ICML 2020):

    x = x + attention(norm(x))        x = x + mlp(norm(x))

So `blocks` blocks are 2 * blocks residual functions in a row.  `Transformer.layers` is the network of them.  Any rule
that runs residual functions can take its place, with the same parameters.
"""

import copy
import math
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .. import nn, seeding
from ..autodiff import Tensor, no_grad
from ..autodiff import functional as F
from ..base.changes import changed
from ..base.checks import array, integer, number, one_of
from ..base.types import Arithmetic, Backprop, FloatArray, IntegerArray
from ..nn.attention import Cache
from ..reversible import MomentumNet, ResidualNet, RevNet

Kind: TypeAlias = Literal["residual", "checkpointed", "momentum", "revnet"]
KINDS = ("residual", "checkpointed", "momentum", "revnet")

INITIAL_DEVIATION = 0.02
"""Of weights and embeddings, as in GPT-2."""


class Mlp(nn.Module):
    """Two linear maps with GELU, by tanh, in between."""

    def __init__(self, width: int) -> None:
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Compute c_proj(gelu(c_fc(x)))."""
        return self.c_proj(F.gelu(self.c_fc(x), "tanh"))


class Branch(nn.Module):
    """A residual function: a norm, attention or the MLP, and dropout."""

    def __init__(self, norm: nn.LayerNorm, inner: nn.CausalSelfAttention | Mlp, drop: nn.Dropout) -> None:
        self.norm, self.inner, self.drop = norm, inner, drop

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        """Compute f(x) (batch, time, width); attention continues what the `cache` holds."""
        normed = self.norm(x)
        if isinstance(self.inner, nn.CausalSelfAttention):
            return self.drop(self.inner(normed, cache))
        return self.drop(self.inner(normed))


class Block(nn.Module):
    """The modules of a block by GPT-2's names, and its two `branches`."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.CausalSelfAttention(width, heads, dropout)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = Mlp(width)
        drop = nn.Dropout(dropout)
        self.branches = Branch(self.ln_1, self.attn, drop), Branch(self.ln_2, self.mlp, drop)

    def forward(self, x: Tensor) -> Tensor:
        """Compute an ordinary block."""
        for branch in self.branches:
            x = x + branch(x)
        return x


class Transformer(nn.Module):
    """A decoder: from the characters or words so far to the next one.

    Positions are learned, norms come first, GELU is by tanh, and the output shares the weights of the embedding.

    Parameters
    ----------
    vocabulary : int
        How many different tokens there are.
    context : int
        The most positions that it can look at.
    width, heads, blocks : int
        Each block is a layer of attention and one of an MLP, 4 widths wide inside.  `heads` divides the width.
    dropout : float
        The share of elements that are set to zero in training: after the embedding, of attention weights, and at the
        end of each branch.
    kind : "residual", "checkpointed", "momentum" or "revnet"
        The rule of the layers, as for `with_layers`.

    Attributes
    ----------
    layers : LayeredNet
        Of the 2 * blocks residual functions.

    Examples
    --------
    >>> net = models.Transformer(vocabulary=10, context=8, width=16, heads=2, blocks=3)
    >>> net(np.zeros((4, 8), int)).shape
    (4, 8, 10)
    >>> momentum = models.to_momentum(net, gamma=0.9)
    >>> len(momentum.layers.functions)
    6
    """

    layers: ResidualNet | MomentumNet | RevNet

    def __init__(
        self, vocabulary: int, context: int, width: int, heads: int, blocks: int, dropout: float = 0.0,
        kind: Kind = "residual",
    ) -> None:  # fmt: skip
        vocabulary, context = integer("vocabulary", vocabulary, 1), integer("context", context, 1)
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.drop = nn.Dropout(dropout)
        self.h = nn.ModuleList(Block(width, heads, dropout) for _ in range(integer("blocks", blocks, 1)))
        self.ln_f = nn.LayerNorm(width)
        self._draw_weights()
        self._set_layers(kind, 0.9, "exact", None)

    def _draw_weights(self) -> None:
        """Draw weights as GPT-2 does: what ends a branch has a smaller deviation, and biases are 0."""
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                parameter.data[...] = 0
            elif parameter.ndim == 2:
                random = seeding.generator_for(*seeding.next_draw())
                shrink = math.sqrt(2 * len(self.h)) if name.endswith("c_proj.weight") else 1
                parameter.data[...] = random.normal(0, INITIAL_DEVIATION / shrink, parameter.shape)

    @property
    def vocabulary(self) -> int:
        """How many different tokens there are."""
        return self.wte.weight.shape[0]

    @property
    def context(self) -> int:
        """The most positions that it can look at."""
        return self.wpe.weight.shape[0]

    def with_layers(
        self, kind: Kind, gamma: float = 0.9, arithmetic: Arithmetic = "exact", backprop: Backprop | None = None
    ) -> Self:
        """Make a network with the same modules, whose layers follow another rule; training one trains the other.

        Parameters
        ----------
        kind : "residual", "checkpointed", "momentum" or "revnet"
            x + f(x) with stored activations, or with checkpoints; a `MomentumNet`; or a `RevNet` of two streams of the
            full width, which both start as x, and whose mean is the output.
        gamma : float
            The momentum, for "momentum" only.
        arithmetic, backprop
            As for `MomentumNet` and `RevNet`; `backprop` is "reversible" by default, but "stored" for gamma = 0.

        Examples
        --------
        >>> net = models.Transformer(10, 8, 16, 2, 3).with_layers("revnet")
        >>> net(np.zeros((4, 8), int)).shape
        (4, 8, 10)
        """
        changed = copy.copy(self)
        changed._set_layers(kind, gamma, arithmetic, backprop)
        return changed

    def _set_layers(self, kind: Kind, gamma: float, arithmetic: Arithmetic, backprop: Backprop | None) -> None:
        functions = [branch for block in self.h for branch in block.branches]
        one_of("kind", kind, KINDS)
        if kind == "momentum":
            backprop = backprop or ("stored" if gamma == 0 else "reversible")
            self.layers = MomentumNet(functions, gamma, arithmetic=arithmetic, backprop=backprop)
        elif kind == "revnet":
            self.layers = RevNet(functions, arithmetic=arithmetic, backprop=backprop or "reversible")
        else:
            self.layers = ResidualNet(functions, backprop="checkpointed" if kind == "checkpointed" else "stored")

    def forward(self, tokens: IntegerArray | ArrayLike, cache: Cache | None = None) -> Tensor:
        """Compute the logits (batch, time, vocabulary) of what follows each of the tokens.

        Parameters
        ----------
        tokens : array_like of integers (batch, time)
            With a cache, those that follow the tokens of the calls before.  All in all, at most `context`.
        cache
            An empty dict at first.  It is for evaluation, without gradients.
        """
        found = array("tokens", tokens)
        before = cache[self].shape[1] if cache else 0
        if found.ndim != 2 or not 0 < found.shape[1] <= self.context - before:
            raise ValueError(
                f"tokens must be (batch, time) with 1 to {self.context - before} positions, got shape {found.shape}"
            )
        if cache is not None:
            cache[self] = np.concatenate([cache[self], found], axis=1) if cache else found
        positions = self.wpe(np.arange(before, before + found.shape[1]))
        x = self.drop(self.wte(found) + positions)
        keywords: dict[str, Any] = {} if cache is None else {"cache": cache}
        if isinstance(self.layers, RevNet):
            a, b = F.split(self.layers(F.concatenate([x, x], -1), **keywords), 2, -1)
            x = (a + b) * 0.5
        else:
            x = self.layers(x, **keywords)
        return F.linear(self.ln_f(x), F.transpose(self.wte.weight))

    def generate(
        self, tokens: IntegerArray | ArrayLike, count: int, temperature: float = 1.0, top_k: int | None = None
    ) -> IntegerArray:
        """Continue tokens by more, drawn from the random numbers of `manual_seed`.

        Keys and values of earlier positions are kept, so a token takes one position's work.  Where the context is full,
        its second half becomes the beginning of a new one.

        Parameters
        ----------
        tokens : array_like of integers (batch, time)
            At least one position; of a long one, the last `context` count.
        count
            How many tokens to add.
        temperature : float
            Divides the logits; 0 takes the likeliest token.
        top_k : int, optional
            Draw among so many of the likeliest tokens only.

        Returns
        -------
        ndarray (batch, time + count)

        Examples
        --------
        >>> net = models.Transformer(vocabulary=10, context=8, width=16, heads=2, blocks=1)
        >>> net.generate([[1, 2, 3]], count=20).shape
        (1, 23)
        """
        found = array("tokens", tokens)
        if found.ndim != 2 or found.shape[1] < 1:
            raise ValueError(f"tokens must be (batch, time) with at least 1 position, got shape {found.shape}")
        temperature, count = number("temperature", temperature, 0), integer("count", count, 0)
        top_k = self.vocabulary if top_k is None else integer("top_k", top_k, 1)
        with changed([(module, "training", module.training) for module in self.modules()]), no_grad():
            self.eval()
            cache: Cache = {}
            given = found[:, -self.context :]
            random = seeding.generator_for(*seeding.next_draw())
            for _ in range(count):
                if cache and cache[self].shape[1] == self.context:
                    cache, given = {}, found[:, -max(1, self.context // 2) :]
                logits = self(given, cache).data[:, -1]
                given = _drawn(logits, temperature, top_k, random)
                found = np.concatenate([found, given], axis=1)
        return found


def _drawn(logits: FloatArray, temperature: float, top_k: int, random: np.random.Generator) -> IntegerArray:
    """Draw a token (batch, 1) from logits (batch, vocabulary)."""
    if temperature == 0:
        likeliest: IntegerArray = logits.argmax(axis=1)[:, None]
        return likeliest
    likeliest = np.argsort(-logits, axis=1, kind="stable")[:, :top_k]
    scores = np.take_along_axis(logits, likeliest, axis=1).astype(np.float64) / temperature
    shares = np.cumsum(np.exp(scores - scores.max(axis=1, keepdims=True)), axis=1)
    chosen = (shares < random.random((len(logits), 1)) * shares[:, -1:]).sum(axis=1, keepdims=True)
    drawn: IntegerArray = np.take_along_axis(likeliest, chosen, axis=1)
    return drawn
