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
from ..reversible import MomentumNet, ResidualNet
from .transformer import Transformer

Net = TypeVar("Net", bound=nn.Module)


def to_momentum(
    net: Net, gamma: float, layers: tuple[str, ...] | list[str] | None = None, keep_first_block: bool = True,
    init_velocity: Callable[[int], Callable[[Tensor], Tensor]] | None = None, arithmetic: Arithmetic = "exact",
    backprop: Backprop | None = None, is_residual: bool = False,
) -> Net:  # fmt: skip
    """Make a momentum network of the blocks of a residual network; training one trains the other.

    All layers of a `Transformer` become one `MomentumNet`; only `gamma`, `arithmetic` and `backprop` apply to it.

    Parameters
    ----------
    net : Module
        Its stages are `Sequential` modules of blocks, as in all networks of `mininet.models`, or lists that its
        ``forward`` runs through, of Python or `nn.ModuleList`.  It stays as it is.
    gamma : float
        Momentum, at least 0 and below 1.
    layers : sequence of str, optional
        The stages to convert by their dotted names, such as "encoder.layers"; by default all that `net.stages` names.
    keep_first_block : bool
        Whether the first block of each stage stays an ordinary one, as in the paper.  If it changes the shape, it must.
    init_velocity : callable, optional
        Makes the module that computes v_0 from x_0 for a stage, given its number of channels; by default v_0 = 0.
        Its parameters belong to the momentum network only.
    arithmetic, backprop
        As for `MomentumNet`; `backprop` is "reversible" by default, but "stored" for gamma = 0, which allows only that.
    is_residual : bool
        True if the blocks are the residual functions f(x) themselves, without the sum x + f(x).

    Returns
    -------
    Module
        Of the class of `net`, sharing its modules.  A stage of blocks 0, 1, 2, ... becomes one of the same kind with
        block 0 and ``MomentumNet([block 1, block 2, ...])``, which hands inputs beside x to every block.

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
    keep_first_block = flag("keep_first_block", keep_first_block)
    if init_velocity is not None and not callable(init_velocity):
        raise TypeError(f"init_velocity must be callable or None, got {type(init_velocity).__name__}")
    if isinstance(net, Transformer):
        if layers is not None or init_velocity is not None:
            raise ValueError(
                "layers and init_velocity must be None for a Transformer, all of whose layers are converted"
            )
        return net.with_layers("momentum", gamma, arithmetic, backprop)
    backprop = backprop or ("stored" if gamma == 0 else "reversible")
    converted = net
    for name in _stages(net, layers):

        def convert(blocks: list[Any], name: str = name) -> list[Any]:
            if any(isinstance(block, MomentumNet) for block in blocks):
                raise ValueError(f"layers must name stages of ordinary blocks, but {name} has been converted already")
            first_blocks = blocks[: 1 if keep_first_block else 0]
            for block in blocks[len(first_blocks) :]:
                if getattr(block, "changes_shape", False):
                    raise ValueError(
                        f"{name} has a block that changes the shape, {block.described()}, behind the ones that are kept"
                        + ("" if keep_first_block else ": use keep_first_block=True, or leave it out of layers")
                    )
            start = init_velocity(_channels(blocks, name)) if init_velocity else None
            functions = blocks[len(first_blocks) :]
            return [*first_blocks, MomentumNet(functions, gamma, start, is_residual, arithmetic, backprop)]

        converted = _changed(converted, name.split("."), name, convert)
    return converted


def to_residual(net: Net, layers: tuple[str, ...] | list[str] | None = None) -> Net:
    """Undo `to_momentum`: make a residual network of the blocks of `net`, which both share.

    Parameters
    ----------
    net : Module
        Momentum layers of residual functions (``is_residual=True``) become a `ResidualNet`; stages that are not
        converted stay as they are.
    layers : sequence of str, optional
        The stages by their dotted names, by default all that `net.stages` names.

    Raises
    ------
    ValueError
        If a stage computes its initial velocity, for which a residual network has no place.

    Examples
    --------
    >>> net = models.to_residual(models.to_momentum(models.resnet20(), gamma=0.9))
    """
    if isinstance(net, Transformer):
        return net.with_layers("residual")
    converted = net
    for name in _stages(net, layers):

        def convert(modules: list[Any], name: str = name) -> list[Any]:
            blocks: list[Any] = []
            for module in modules:
                if not isinstance(module, MomentumNet):
                    blocks.append(module)
                elif module.init_velocity is not None:
                    raise ValueError(f"net must not have initial velocities, {name} has one")
                else:
                    blocks += [ResidualNet(module.functions)] if module.is_residual else module.functions
            return blocks

        converted = _changed(converted, name.split("."), name, convert)
    return converted


def _stages(net: nn.Module, layers: Any) -> Sequence[Any]:
    stages = getattr(instance("net", net, nn.Module), "stages", None) if layers is None else layers
    if stages is None:
        raise ValueError(f"net does not name its stages: layers must be given for {type(net).__name__}")
    if not isinstance(stages, (tuple, list)):
        raise TypeError(f"layers must be a sequence of names, got {shown(stages)}")
    for name in stages:
        if not isinstance(name, str):
            raise ValueError(f"layers must be names, got {shown(name)}")
    return stages


def _changed(module: Any, path: list[str], name: str, change: Callable[[list[Any]], list[Any]]) -> Any:
    """Copy `module` with other blocks in the stage that lies at `path` below it; `name` is the whole path."""
    if not path:
        if not _is_sequence(module):
            found = "nothing" if module is None else type(module).__name__
            raise ValueError(f"layers must name Sequential modules or lists of blocks, got {name!r}, which is {found}")
        return _like(module, change(list(module)))
    first, *rest = path
    if _is_sequence(module) and first.isdecimal() and int(first) < len(module):
        modules = list(module)
        modules[int(first)] = _changed(modules[int(first)], rest, name, change)
        return _like(module, modules)
    changed = _changed(getattr(module, first, None), rest, name, change)
    copied = copy.copy(module)
    setattr(copied, first, changed)
    return copied


def _is_sequence(module: Any) -> bool:
    is_module = isinstance(module, nn.Module) and hasattr(module, "__len__") and hasattr(module, "__getitem__")
    return is_module or isinstance(module, (list, tuple))


def _like(stage: Any, modules: list[Any]) -> Any:
    """Make a sequence of modules of the kind of `stage`."""
    return nn.Sequential(*modules) if isinstance(stage, nn.Sequential) else type(stage)(modules)


def _channels(blocks: Sequence[Any], name: str) -> int:
    """Get the number of channels of a stage's momentum layers."""
    if not blocks or not hasattr(blocks[0], "out_channels"):
        raise ValueError(
            f"layers must name stages whose blocks have out_channels to go with init_velocity, got {name!r}"
        )
    channels: int = blocks[0].out_channels
    return channels
