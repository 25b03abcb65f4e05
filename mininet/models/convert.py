"""Turning a residual network into a momentum network with the same parameters, as the paper does (section 5), and back.

A block whose output has the shape of its input computes a whole map, h(x) = relu(branch(x) + x).  With the residual
function f(x) = h(x) - x it becomes a layer

    v <- gamma v + (1 - gamma) (h(x) - x)            x <- x + v

which for gamma = 0 is x <- h(x) again.
"""

import copy

from .. import nn
from ..checks import flag, instance, shown
from ..reversible import MomentumNet


def to_momentum(net, gamma, layers=None, keep_first_block=True, init_velocity=None, arithmetic="exact", backprop=None):
    """A momentum network made of the blocks of a residual network, which both share.

    Parameters
    ----------
    net : Module
        Whose stages are attributes, `Sequential` modules of blocks: all networks of `mininet.models`, or your own.
        It stays as it is.
    gamma : float
        Momentum, at least 0 and below 1.
    layers : sequence of str, optional
        The stages to turn; all that `net.stages` names if not given.
    keep_first_block : bool
        Whether the first block of each stage stays an ordinary one, as in the paper.  One that changes the shape must.
    init_velocity : callable, optional
        Makes the module that computes v_0 from x_0 for a stage, given its number of channels; without it v_0 = 0.
        New parameters, which only the momentum network has.
    arithmetic, backprop
        As for `MomentumNet`; `backprop` is "reversible" unless gamma is 0, where only "stored" is possible.

    Returns
    -------
    Module
        Of the class of `net`, sharing its modules: training one trains the other.  In the place of a stage of blocks
        0, 1, 2, ... stands ``Sequential(block 0, MomentumNet([block 1, block 2, ...], is_residual=False))``.

    Raises
    ------
    TypeError, ValueError
        If a stage is not what it must be, naming it.

    Examples
    --------
    >>> net = models.resnet20()
    >>> momentum_net = models.to_momentum(net, gamma=0.9)
    """
    instance("net", net, nn.Module)
    keep_first_block = flag("keep_first_block", keep_first_block)
    if init_velocity is not None and not callable(init_velocity):
        raise TypeError(f"init_velocity must be callable or None, got {type(init_velocity).__name__}")
    if layers is None and not hasattr(net, "stages"):
        raise ValueError(f"layers must be given for {type(net).__name__}, which does not name its stages")
    if layers is not None and not isinstance(layers, (tuple, list)):
        raise TypeError(f"layers must be a sequence of names, got {shown(layers)}")
    backprop = backprop or ("stored" if gamma == 0 else "reversible")
    converted = copy.copy(net)
    for name in net.stages if layers is None else layers:
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


def to_residual(net):
    """The residual network that `to_momentum` made `net` of: with its blocks, which both share, and names.

    Parameters
    ----------
    net : Module
        That names its stages, as all networks of `mininet.models` do; stages that are not converted stay as they are.

    Raises
    ------
    ValueError
        If a stage computes its initial velocity, for which a residual network has no place.
    """
    if not hasattr(instance("net", net, nn.Module), "stages"):
        raise ValueError(f"net must name its stages, got {type(net).__name__}")
    converted = copy.copy(net)
    for name in net.stages:
        blocks = []
        for module in getattr(net, name):
            is_momentum = isinstance(module, MomentumNet)
            if is_momentum and module.init_velocity is not None:
                raise ValueError(f"net must not have initial velocities, {name} has one")
            blocks += module.functions if is_momentum else [module]
        setattr(converted, name, nn.Sequential(*blocks))
    return converted


def _channels(blocks, name):
    """How many channels the momentum layers of a stage have."""
    if not blocks or not hasattr(blocks[0], "out_channels"):
        raise ValueError(
            f"layers must name stages whose blocks have out_channels to go with init_velocity, got {name!r}"
        )
    return blocks[0].out_channels


def _stage(net, name):
    stage = getattr(net, name, None) if isinstance(name, str) else None
    if not isinstance(stage, nn.Sequential):
        found = "nothing" if stage is None else type(stage).__name__
        raise ValueError(f"layers must name Sequential modules of blocks, got {name!r}, which is {found}")
    if any(isinstance(block, MomentumNet) for block in stage):
        raise ValueError(f"layers must name stages of ordinary blocks, but {name} has been converted already")
    return stage
