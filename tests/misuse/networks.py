"""Reversible networks and their states, models, and weights of others."""

import numpy as np
from misuse.table import INF, NAN, NO_FLAGS, NO_INTEGERS, NO_NAMES, NO_NUMBERS, case, dense, each, random, works, zeros
from support import strided

from mininet import IResNet, MomentumNet, ResidualNet, RevNet, Tensor, models, nn
from mininet.models.unrolled import IstaFunction, UnrolledIsta, soft_threshold
from mininet.reversible import AdjointResNet, BDIANet, ExactState, FloatState, limit_lipschitz, spectral_norm

X = random(5, 4)
KINDS = (MomentumNet, RevNet, ResidualNet, IResNet, BDIANet, AdjointResNet)
RESNETS = (
    models.resnet20, models.resnet32, models.resnet38, models.resnet44, models.resnet56, models.resnet110,
)  # fmt: skip
LARGE = (models.resnet18, models.resnet34, models.resnet50, models.resnet101, models.resnet152)
DICTIONARY = random(3, 6, dtype=np.float64)


def momentum(function=None, depth=3, **settings):
    return MomentumNet([function or dense()] * depth, **settings)


def constant(value):
    """A residual function that returns `value` everywhere."""
    return lambda x: Tensor(np.full(x.shape, value, x.dtype))


def tiny():
    return models.CifarResNet(2, classes=3, width=4)


def loaded(f, *arguments):
    net = tiny()
    before = net.state_dict()
    try:
        f(net, *arguments)
    except (TypeError, ValueError, OSError):
        assert all(np.array_equal(array, before[name]) for name, array in net.state_dict().items())
        raise
    return net


def bad_results(f):
    """What a residual function may not return, for the method `f` of a network."""
    return [
        case(f, "a function that returns an array", lambda f: f(momentum(lambda x: x.data), X), TypeError, "functions[0]"),
        case(f, "a function that changes the shape", lambda f: f(momentum(nn.Linear(4, 3)), X), ValueError, "functions[0]"),
        case(f, "a function that changes the dtype", lambda f: f(momentum(lambda x: Tensor(x.data.astype(np.float64))), X), ValueError, "functions[0]"),
        case(f, "a function that returns NaN", lambda f: f(momentum(constant(NAN)), X), FloatingPointError, "layer 0"),
        case(f, "a function that returns infinity", lambda f: f(momentum(constant(INF)), X), OverflowError, "layer 0"),
        case(f, "a function whose values add up beyond the range", lambda f: f(momentum(constant(1e6), 50), X), OverflowError, "range"),
    ]  # fmt: skip


def bad_inputs(f):
    """What a network may not get as x, for the method `f` of a network."""
    return [
        *each(f, "x", lambda f, v: f(momentum(), v), types=(None, "text", zeros(5, 4, dtype=int), 1j), says="a Tensor"),
        case(f, "lists of different lengths", lambda f: f(momentum(), [[1.0], [1.0, 2.0]]), ValueError, "array"),
        case(f, "features that do not fit", lambda f: f(momentum(), X[:, :3]), ValueError, "x must"),
        case(f, "another dtype than the parameters'", lambda f: f(momentum(), X.astype(np.float64)), TypeError, "convert x with .astype(np.float32)"),
        *each(f, "x of", lambda f, v: f(momentum(), X + np.float32(v)), values=(NAN, INF, -INF), says="x"),
        case(f, "x beyond the range", lambda f: f(momentum(), X * np.float32(1e8)), OverflowError, "x must"),
        case(f, "an initial velocity of NaN", lambda f: f(momentum(init_velocity=constant(NAN)), X), ValueError, "initial velocity"),
        case(f, "an initial velocity beyond the range", lambda f: f(momentum(init_velocity=constant(3e6)), X), OverflowError, "initial velocity"),
    ]  # fmt: skip


CASES = [
    # Settings
    *(row for kind in KINDS for row in (
        *each(kind, "functions", lambda f, v: f(v), values=(None, 3, nn.Tanh(), nn.Tanh, [3], "ab", [None], [np.ones(2)], [[nn.Tanh()]])),
        *each(kind, "backprop", lambda f, v: f([nn.Tanh()], backprop=v), values=NO_NAMES),
        *each(kind, "is_residual", lambda f, v: f([nn.Tanh()], is_residual=v), types=NO_FLAGS if kind is not IResNet else ()),
        works(kind, "no layers", lambda f: f([])(X), lambda: X),
        works(kind, "a strided batch", lambda f: f([dense(2 if f is RevNet else 4)])(strided(X)), lambda k=kind: k([dense(2 if k is RevNet else 4)])(X)),
        works(kind, "lists", lambda f: f([dense(2 if f is RevNet else 4)])(X.tolist()), lambda k=kind: k([dense(2 if k is RevNet else 4)])(X)),
        works(kind, "an empty batch", lambda f: f([dense(2 if f is RevNet else 4)])(X[:0]), lambda: X[:0]),
    )),
    *each(MomentumNet, "gamma", lambda f, v: f([nn.Tanh()], v), values=(*NO_NUMBERS, -0.1, 1, 1.5, 1e-7, 1 - 1e-7, 5e-324, 2.0**-21, 1 - 2.0**-21, 0, 0.0, -0.0)),
    *each(MomentumNet, "gamma in floats", lambda f, v: f([nn.Tanh()], v, arithmetic="float"), values=(1, 1.5), says="gamma"),
    *(works(MomentumNet, f"a gamma of {gamma} in floats", lambda f, g=gamma: f([nn.Tanh()], g, arithmetic="float").gamma, lambda g=gamma: g) for gamma in (2.0**-21, 1 - 2.0**-21)),
    *(row for kind in (MomentumNet, RevNet) for row in each(kind, "arithmetic", lambda f, v: f([nn.Tanh()], arithmetic=v), values=NO_NAMES)),
    *each(MomentumNet, "init_velocity", lambda f, v: f([nn.Tanh()], init_velocity=v), values=(0, zeros(3), "zero", Tensor([1.0]))),
    *each(IResNet, "iterations", lambda f, v: f([nn.Tanh()], iterations=v), types=NO_INTEGERS, values=(0, -1)),
    *each(IResNet, "tolerance", lambda f, v: f([nn.Tanh()], tolerance=v), values=(0, 1, -1e-3, NAN, "small", True)),
    # Running forward and back
    *(row for method in (MomentumNet.forward, MomentumNet.run, MomentumNet.trajectory, MomentumNet.check_inversion) for row in bad_inputs(method)),
    *(row for method in (MomentumNet.forward, MomentumNet.run) for row in bad_results(method)),
    works(MomentumNet.forward, "NaN in float arithmetic", lambda f: np.isnan(f(momentum(arithmetic="float"), np.float32([[NAN, 1, 1, 1], [1, 1, 1, 1]])).data).any(axis=1), lambda: np.array([True, False])),
    *(row for method in (MomentumNet.invert, MomentumNet.inverse_trajectory) for row in (
        *each(method, "state", lambda f, v: f(momentum(), v), values=(None, X, "state", (X, X))),
        case(method, "a state of another net", lambda f: f(momentum(), momentum().run(X)), ValueError, "state"),
        case(method, "a state twice", lambda f: twice(f), ValueError, "stand"),
        case(method, "a residual net", lambda f: after_run(f, ResidualNet([dense()])), ValueError, "ResidualNet"),
        case(method, "a gamma of 0", lambda f: after_run(f, momentum(gamma=0, backprop="stored")), ValueError, "gamma"),
        case(method, "no contraction", lambda f: after_run(f, IResNet([lambda x: 2 * x])), RuntimeError, "layer 0"),
    )),
    case(MomentumNet.check_inversion, "a residual net", lambda f: ResidualNet([dense()]).check_inversion(X), ValueError, "ResidualNet"),
    # States by themselves
    *(row for kind in (FloatState, ExactState) for row in (
        *each(kind, "position", lambda f, v: f(v, 0.5), types=(None, X.tolist(), 1.0, zeros(3, dtype=int), zeros(3, dtype=np.float16), Tensor(X))),
    )),
    *each(FloatState, "gamma", lambda f, v: f(X, v), values=(*NO_NUMBERS, -0.1, 1)),
    *each(ExactState, "gamma", lambda f, v: f(X, v), values=(NAN, INF, -0.1, 1, 1e-9, "0.5", None, True, 1j)),
    *each(ExactState, "x of", lambda f, v: f(X + np.float32(v), 0.5), values=(NAN, INF), says="x"),
    # Lipschitz constants
    *each(spectral_norm, "layer", lambda f, v: f(v), types=(None, nn.Tanh(), X, nn.Linear)),
    case(spectral_norm, "a convolution without a size", lambda f: f(nn.Conv2d(2, 2, 3)), ValueError, "size"),
    *each(spectral_norm, "weights of", lambda f, v: f(filled(v)), values=(NAN, INF), says="weights"),
    *each(spectral_norm, "size", lambda f, v: f(nn.Conv2d(2, 2, 1), v), values=(0, (3, -1))),
    *each(limit_lipschitz, "module", lambda f, v: f(v), types=(None, [nn.Linear(2, 2)], X, nn.Linear)),
    *each(limit_lipschitz, "coefficient", lambda f, v: f(dense(), v), values=(*NO_NUMBERS, 0, 1, -0.5)),
    *each(limit_lipschitz, "weights of", lambda f, v: f(filled(v)), values=(NAN, INF), says="weights"),
    # Models
    *(row for make in (*RESNETS, *LARGE, models.revnet20) for row in (
        *each(make, "classes", lambda f, v: f(v), types=(1.5, "10", None, True), values=(0, -1)),
    )),
    *(row for make in RESNETS for row in each(make, "shortcut", lambda f, v: f(shortcut=v), values=NO_NAMES)),
    *each(models.CifarResNet, "depth", lambda f, v: f(v), types=NO_INTEGERS, values=(0, -1)),
    *each(models.CifarResNet, "width", lambda f, v: f(1, width=v), values=(0, -16)),
    *each(models.ImageNetResNet, "block", lambda f, v: f(v, (1, 1, 1, 1)), values=(None, "basic", nn.Linear, 3)),
    *each(models.ImageNetResNet, "depths", lambda f, v: f(models.resnet.BasicBlock, v), values=((1, 1, 1), 4, None, "1111", (1,) * 5, (1, 1, 1, 0), (1, -1, 1, 1))),
    *each(models.CifarRevNet, "depth", lambda f, v: f(v), values=(0, -1)),
    *each(models.CifarRevNet, "width", lambda f, v: f(1, width=v), types=("20", None, 2.0), values=(3, 21)),
    *(row for method in (models.CifarResNet.forward, models.CifarResNet.features, models.CifarResNet.stem) for row in (
        case(method, "images of rank 3", lambda f: f(tiny(), zeros(8, 8, 3)), ValueError, "x must"),
        case(method, "bytes", lambda f: f(tiny(), zeros(2, 8, 8, 3, dtype=np.uint8)), TypeError, "float32"),
    )),
    *(row for place, name in enumerate(("vocabulary", "context", "width", "heads", "blocks")) for row in each(
        models.Transformer, name if name != "width" else "", lambda f, v, p=place: f(*(v if i == p else 4 for i in range(5))), types=NO_INTEGERS, values=(0, -1))),
    *each(models.Transformer, "kind", lambda f, v: f(4, 4, 4, 2, 1, kind=v), values=NO_NAMES),
    *each(models.Transformer.forward, "tokens", lambda f, v: f(models.Transformer(4, 4, 4, 2, 1), v), values=([0], [[0] * 5], np.zeros((1, 0), int))),
    *each(models.Transformer.generate, "temperature", lambda f, v: f(models.Transformer(4, 4, 4, 2, 1), [[0]], 1, v), values=(*NO_NUMBERS, -1)),
    *each(models.Transformer.generate, "top_k", lambda f, v: f(models.Transformer(4, 4, 4, 2, 1), [[0]], 1, 1.0, v), types=(1.5, "2"), values=(0,)),
    *each(models.Transformer.generate, "count", lambda f, v: f(models.Transformer(4, 4, 4, 2, 1), [[0]], v), types=NO_INTEGERS, values=(-1,)),
    *each(models.Transformer.generate, "tokens", lambda f, v: f(models.Transformer(4, 4, 4, 2, 1), v, 1), values=([0], np.zeros((1, 0), int))),
    *each(models.to_momentum, "layers", lambda f, v: f(models.Transformer(4, 4, 4, 2, 1), 0.9, v), values=(["h"],)),
    *each(models.load_pytorch_state_dict, "layout", lambda f, v: f(tiny(), {}, layout=v), values=("", "gpt")),
    *each(models.pretrained, "name", lambda f, v: f(v), values=NO_NAMES),
    # Conversion
    *each(models.to_momentum, "net", lambda f, v: f(v, 0.9), types=(None, "resnet20", models.resnet20, X, nn.Linear)),
    *each(models.to_momentum, "gamma", lambda f, v: f(tiny(), v), values=(NAN, 1, -0.1, "0.9", None, True)),
    *each(models.to_momentum, "layers", lambda f, v: f(tiny(), 0.9, v), types=("layer1", 1, {"layer1"}), values=(["layer9"], ["conv1"], [3], [None], ["forward"], ["layer1.9"], ["a.b.c"], ["layer1.0.conv1"], [""], ["layer1."])),
    *each(models.to_momentum, "is_residual", lambda f, v: f(tiny(), 0.9, is_residual=v), types=NO_FLAGS),
    *each(models.to_momentum, "keep_first_block", lambda f, v: f(tiny(), 0.9, keep_first_block=v), types=NO_FLAGS),
    *each(models.to_momentum, "init_velocity", lambda f, v: f(tiny(), 0.9, init_velocity=v), types=(3, "zero", zeros(2))),
    *each(models.to_residual, "net", lambda f, v: f(v), types=(None, "net", tiny)),
    *each(models.to_residual, "layers", lambda f, v: f(tiny(), v), types=("layer1", 1), values=(["layer9"], [3])),
    case(models.to_residual, "a net that names no stages", lambda f: f(dense()), ValueError, "net"),
    # Weights
    *each(models.pytorch_state_dict, "net", lambda f, v: f(v), types=(None, "net", {}, nn.Linear)),
    *each(models.load_pytorch_state_dict, "net", lambda f, v: f(v, {}), types=(None, "net", {})),
    *each(models.load_pytorch_state_dict, "prefix", lambda f, v: f(tiny(), {}, v), types=(None, 3, ["module."])),
    *each(models.load_pytorch_state_dict, "name", lambda f, v: f(tiny(), {v: 0}), types=(3, None), says="source"),
    *each(models.save_pytorch_state_dict, "net", lambda f, v: f(v, "weights.npz"), types=(None, "net", {})),
    *each(models.save_pytorch_state_dict, "path", lambda f, v: f(tiny(), v), types=(None, 3, ["weights.npz"]), values=("weights.pt", "weights", "")),
    *each(models.load_pytorch_state_dict, "source", loaded, types=(None, 3, [1], zeros(3)), values=("weights.pt", "weights.pth", "weights.bin", "")),
    case(models.load_pytorch_state_dict, "a file that is not there", lambda f: loaded(f, "nowhere.npz"), FileNotFoundError, "nowhere.npz"),
    # Unrolled algorithms
    *(row for kind, make in ((IstaFunction, lambda f, v: f(v, 0.1)), (UnrolledIsta, lambda f, v: f("resnet", v, 0.1, 2))) for row in (
        *each(kind, "dictionary", make, values=(None, 3.0, zeros(3), zeros(0, 3), zeros(2, 2, 2), [["a"]])),
    )),
    *each(IstaFunction, "penalty", lambda f, v: f(DICTIONARY, v), values=(*NO_NUMBERS, -0.1)),
    *each(IstaFunction, "step", lambda f, v: f(DICTIONARY, 0.1, v), values=(0, -1, NAN, "1")),
    *each(UnrolledIsta, "kind", lambda f, v: f(v, DICTIONARY, 0.1, 2), values=NO_NAMES),
    *each(UnrolledIsta, "depth", lambda f, v: f("resnet", DICTIONARY, 0.1, v), types=NO_INTEGERS),
    *(row for method in (UnrolledIsta.forward, UnrolledIsta.trajectory) for row in (
        *each(method, "y", lambda f, v: f(UnrolledIsta("resnet", DICTIONARY, 0.1, 2), v), types=(None, [[0.0] * 3], "y", 1.0), values=(zeros(3), zeros(), zeros(1, 2, 3)), says="y must"),
    )),
    case(soft_threshold, "shapes", lambda f: f(Tensor(zeros(3)), zeros(2)), ValueError, "broadcast"),
]  # fmt: skip


def after_run(f, net):
    return getattr(net, f.__name__)(net.run(X))


def twice(f):
    net = momentum()
    state = net.run(X)
    f(net, state)
    f(net, state)


def filled(value):
    layer = nn.Linear(2, 2)
    layer.weight.data[...] = value
    return layer
