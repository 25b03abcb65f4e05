"""Turning a residual network into a momentum network with its parameters, as in section 5 of the paper, and back.

A block that keeps the shape computes a whole map, h(x) = relu(branch(x) + x).  With the residual function
f(x) = h(x) - x it becomes a layer

    v <- gamma v + (1 - gamma) (h(x) - x)            x <- x + v

which for gamma = 0 is x <- h(x) again.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from .. import nn
from ..autodiff import Tensor
from ..base.checks import flag, instance, shown
from ..base.types import Arithmetic, Backprop
from ..reversible import MomentumNet

Net = TypeVar("Net", bound=nn.Module)


def to_momentum(
    net: Net, gamma: float, layers: tuple[str, ...] | list[str] | None = None, keep_first_block: bool = True,
    init_velocity: Callable[[int], Callable[[Tensor], Tensor]] | None = None, arithmetic: Arithmetic = "exact",
    backprop: Backprop | None = None,
) -> Net:  # fmt: skip
    """Make a momentum network of the blocks of a residual network; training one trains the other.

    Parameters
    ----------
    net : Module
        Its stages are attributes, `Sequential` modules of blocks, as in all networks of `mininet.models`.  It stays as
        it is.
    gamma : float
        Momentum, at least 0 and below 1.
    layers : sequence of str, optional
        The stages to convert, by default all that `net.stages` names.
    keep_first_block : bool
        Whether the first block of each stage stays an ordinary one, as in the paper.  If it changes the shape, it must.
    init_velocity : callable, optional
        Makes the module that computes v_0 from x_0 for a stage, given its number of channels; by default v_0 = 0.
        Its parameters belong to the momentum network only.
    arithmetic, backprop
        As for `MomentumNet`; `backprop` is "reversible" by default, but "stored" for gamma = 0, which allows only that.

    Returns
    -------
    Module
        Of the class of `net`, sharing its modules.  A stage of blocks 0, 1, 2, ... becomes
        ``Sequential(block 0, MomentumNet([block 1, block 2, ...], is_residual=False))``.

    Raises
    ------
    TypeError, ValueError
        If a stage cannot be converted, naming it.

    Examples
    --------
    >>> net = models.to_momentum(models.resnet20(), gamma=0.9)
    >>> type(net.layer1[1]).__name__
    'MomentumNet'
    """
    instance("net", net, nn.Module)
    keep_first_block = flag("keep_first_block", keep_first_block)
    if init_velocity is not None and not callable(init_velocity):
        raise TypeError(f"init_velocity must be callable or None, got {type(init_velocity).__name__}")
    stages = getattr(net, "stages", None) if layers is None else layers
    if stages is None:
        raise ValueError(f"layers must be given for {type(net).__name__}, which does not name its stages")
    if layers is not None and not isinstance(layers, (tuple, list)):
        raise TypeError(f"layers must be a sequence of names, got {shown(layers)}")
    backprop = backprop or ("stored" if gamma == 0 else "reversible")
    converted = copy.copy(net)
    for name in stages:
        blocks = list(_stage(net, name))
        first_blocks = blocks[: 1 if keep_first_block else 0]
        for block in blocks[len(first_blocks) :]:
            if getattr(block, "changes_shape", False):
                raise ValueError(
                    f"{name} has a block that changes the shape, {block.described()}, behind the ones that are kept"
                    + ("" if keep_first_block else ": use keep_first_block=True, or leave it out of layers")
                )
        start = init_velocity(_channels(blocks, name)) if init_velocity else None
        momentum_net = MomentumNet(
            blocks[len(first_blocks) :], gamma, start, is_residual=False, arithmetic=arithmetic, backprop=backprop
        )
        setattr(converted, name, nn.Sequential(*first_blocks, momentum_net))
    return converted


def to_residual(net: Net) -> Net:
    """Undo `to_momentum`: make a residual network of the blocks of `net`, which both share.

    `net` names its stages, as all networks of `mininet.models` do; stages that are not converted stay as they are.

    Raises
    ------
    ValueError
        If a stage computes its initial velocity, for which a residual network has no place, or has residual functions
        (``is_residual=True``), to which nobody would add x.

    Examples
    --------
    >>> net = models.to_residual(models.to_momentum(models.resnet20(), gamma=0.9))
    """
    stages = getattr(instance("net", net, nn.Module), "stages", None)
    if stages is None:
        raise ValueError(f"net must name its stages, got {type(net).__name__}")
    converted = copy.copy(net)
    for name in stages:
        blocks: list[Any] = []
        for module in getattr(net, name):
            is_momentum = isinstance(module, MomentumNet)
            if is_momentum and module.init_velocity is not None:
                raise ValueError(f"net must not have initial velocities, {name} has one")
            if is_momentum and module.is_residual:
                raise ValueError(f"net must have whole blocks, {name} has residual functions: use ResidualNet for them")
            blocks += module.functions if is_momentum else [module]
        setattr(converted, name, nn.Sequential(*blocks))
    return converted


def _channels(blocks: Sequence[Any], name: str) -> int:
    """Get the number of channels of a stage's momentum layers."""
    if not blocks or not hasattr(blocks[0], "out_channels"):
        raise ValueError(
            f"layers must name stages whose blocks have out_channels to go with init_velocity, got {name!r}"
        )
    channels: int = blocks[0].out_channels
    return channels


def _stage(net: nn.Module, name: Any) -> nn.Sequential:
    stage = getattr(net, name, None) if isinstance(name, str) else None
    if not isinstance(stage, nn.Sequential):
        found = "nothing" if stage is None else type(stage).__name__
        raise ValueError(f"layers must name Sequential modules of blocks, got {name!r}, which is {found}")
    if any(isinstance(block, MomentumNet) for block in stage):
        raise ValueError(f"layers must name stages of ordinary blocks, but {name} has been converted already")
    return stage
