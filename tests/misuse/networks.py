"""Reversible networks and their states, models, and weights of others."""

import fractions

import numpy as np
from misuse.table import INF, NAN, NO_FLAGS, NO_INTEGERS, NO_NAMES, NO_NUMBERS, case, dense, each, random, works, zeros
from support import strided

from mininet import IResNet, MomentumNet, ResidualNet, RevNet, Tensor, models, nn
from mininet.models.unrolled import IstaFunction, UnrolledIsta, soft_threshold
from mininet.reversible import ExactState, FloatState, limit_lipschitz, spectral_norm
from mininet.reversible.network import LayeredNet
from mininet.reversible.protocol import State

X = random(5, 4)
KINDS = (MomentumNet, RevNet, ResidualNet, IResNet)
RESNETS = (models.resnet20, models.resnet32, models.resnet44, models.resnet56, models.resnet110)
LARGE = (models.resnet18, models.resnet34, models.resnet50, models.resnet101, models.resnet152)
DICTIONARY = random(3, 6, dtype=np.float64)


def momentum(function=None, depth=3, **settings):
    return MomentumNet([function or dense()] * depth, **settings)


def constant(value):
    """A residual function that returns `value` everywhere."""
    return lambda x: Tensor(np.full(x.shape, value, x.dtype))


def moved(kind, gamma=0.5):
    """A state of this kind, one layer on."""
    state = kind(X, gamma)
    state.step(X)
    return state


def tiny():
    return models.CifarResNet(2, classes=3, width=4)


def tiny_state(**changes):
    return models.pytorch_state_dict(tiny()) | changes


class Bare(nn.Module):
    """A network whose stage has blocks of a stranger's."""

    def __init__(self):
        super().__init__()
        self.stage = nn.Sequential(dense(), dense())


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
        case(f, "a function that returns an array", lambda f: f(momentum(lambda x: x.data), X), TypeError, "functions[0] must return a Tensor, got ndarray"),
        case(f, "a function that returns nothing", lambda f: f(momentum(lambda x: None), X), TypeError, "functions[0] must return a Tensor, got NoneType"),
        case(f, "a function that changes the shape", lambda f: f(momentum(nn.Linear(4, 3)), X), ValueError, "functions[0] must return what it got, shape (5, 4) and dtype float32, got (5, 3) and float32"),
        case(f, "a function that broadcasts", lambda f: f(momentum(lambda x: x.mean(axis=0)), X), ValueError, "functions[0] must return what it got, shape (5, 4)"),
        case(f, "a function that changes the dtype", lambda f: f(momentum(lambda x: Tensor(x.data.astype(np.float64))), X), ValueError, "got (5, 4) and float64"),
        case(f, "a function that returns NaN", lambda f: f(momentum(constant(NAN)), X), FloatingPointError, "the residual function of layer 0 returned NaN"),
        case(f, "a function that returns infinity", lambda f: f(momentum(constant(INF)), X), OverflowError, "left the range of exact arithmetic, +-2,097,152, in layer 0"),
        case(f, "a function whose values add up beyond the range", lambda f: f(momentum(constant(1e6), 50), X), OverflowError, "left the range of exact arithmetic"),
    ]  # fmt: skip


def bad_inputs(f):
    """What a network may not get as x, for the method `f` of a network."""
    return [
        *each(f, "x", (None, "text", zeros(5, 4, dtype=int), 1j), lambda f, v: f(momentum(), v), TypeError, "a Tensor holds float32 or float64, got"),
        case(f, "lists of different lengths", lambda f: f(momentum(), [[1.0], [1.0, 2.0]]), ValueError, "array must be an array or lists of equal lengths"),
        case(f, "features that do not fit", lambda f: f(momentum(), X[:, :3]), ValueError, "x must have 4 features on its last axis"),
        case(f, "another dtype than the parameters'", lambda f: f(momentum(), X.astype(np.float64)), TypeError, "got float64 and float32: convert one of them"),
        case(f, "an input that no function takes", lambda f: f(momentum(lambda x: x), X, X), TypeError, "positional argument"),
        *each(f, "x of", (NAN, INF, -INF), lambda f, v: f(momentum(), X + np.float32(v)), ValueError, "x must be finite in exact arithmetic, got NaN or infinity"),
        case(f, "x beyond the range", lambda f: f(momentum(), X * np.float32(1e8)), OverflowError, "x must lie within +-2,097,152 in exact arithmetic, got"),
        case(f, "an initial velocity of NaN", lambda f: f(momentum(init_velocity=constant(NAN)), X), ValueError, "the initial velocity must be finite in exact arithmetic, got NaN or infinity"),
        case(f, "a halved odd axis", lambda f: f(RevNet([dense(2)]), X[:, :3]), ValueError, "x must have an even number of elements on its last axis, its halves, got (5, 3)"),
        case(f, "gamma made wrong later", lambda f: f(with_gamma(2), X), ValueError, "gamma must be a number of at least 0 and below 1, got 2"),
    ]  # fmt: skip


def with_gamma(gamma):
    net = momentum()
    net.gamma = gamma
    return net


def unlike(f, name, call):
    """Arrays that do not fit a state, for its method `f`: kernels would read beyond them."""
    return [
        *each(f, name, (zeros(4, 4), zeros(4), zeros(1), zeros(5, 4, 1), np.zeros((5, 4)), zeros(0, 4)), call, ValueError, f"{name} must have shape (5, 4) and dtype float32, got an array of shape"),
        *each(f, name, (None, 0.0, X.tolist(), zeros(5, 4, dtype=int), Tensor(X)), call, TypeError, f"{name} must be an ndarray of float32 or float64, got"),
    ]  # fmt: skip


CASES = [
    # Settings
    *(row for kind in KINDS for row in (
        *each(kind, "functions", (None, 3, nn.Tanh(), nn.Tanh), lambda f, v: f(v), ValueError, "functions must be a sequence of callables, got"),
        *each(kind, "functions", ([3], "ab", [None], [np.ones(2)], [[nn.Tanh()]]), lambda f, v: f(v), ValueError, "functions must be callables, got"),
        case(kind, "a class instead of a module", lambda f: f([nn.Tanh]), ValueError, "functions must be callables, got the class Tanh at 0"),
        *each(kind, "backprop", NO_NAMES, lambda f, v: f([nn.Tanh()], backprop=v), ValueError, f"backprop must be one of {', '.join(kind.WAYS)}, got"),
        *each(kind, "is_residual", NO_FLAGS if kind is not IResNet else (), lambda f, v: f([nn.Tanh()], is_residual=v), TypeError, "is_residual must be True or False, got"),
        works(kind, "no layers", lambda f: f([])(X), lambda: X),
        works(kind, "functions from a generator", lambda f: len(f(nn.Tanh() for _ in range(2)).functions), lambda: 2),
        works(kind, "a strided batch", lambda f: f([dense(2 if f is RevNet else 4)])(strided(X)), lambda k=kind: k([dense(2 if k is RevNet else 4)])(X)),
        works(kind, "an empty batch", lambda f: f([dense(2 if f is RevNet else 4)])(X[:0]), lambda: X[:0]),
    )),
    *each(MomentumNet, "gamma", (*NO_NUMBERS, -0.1, 1, 1.5), lambda f, v: f([nn.Tanh()], v), ValueError, "gamma must be a number of at least 0 and below 1, got"),
    *each(MomentumNet, "gamma", (1e-7, 1 - 1e-7, 5e-324), lambda f, v: f([nn.Tanh()], v), ValueError, "gamma must be 0 or at least 2^-20 away from 0 and 1 in exact arithmetic, got"),
    *each(MomentumNet, "gamma", (0, 0.0, -0.0), lambda f, v: f([nn.Tanh()], v), ValueError, "gamma must be above 0 for backprop='reversible', got 0"),
    *(row for kind in (MomentumNet, RevNet) for row in each(kind, "arithmetic", NO_NAMES, lambda f, v: f([nn.Tanh()], arithmetic=v), ValueError, "arithmetic must be one of exact, float, got")),
    *each(MomentumNet, "init_velocity", (0, zeros(3), "zero", Tensor([1.0])), lambda f, v: f([nn.Tanh()], init_velocity=v), ValueError, "init_velocity must be None or a callable, got"),
    case(MomentumNet, "a class as init_velocity", lambda f: f([nn.Tanh()], init_velocity=nn.Tanh), ValueError, "init_velocity must be None or a callable, got the class Tanh"),
    works(MomentumNet, "a fraction as gamma", lambda f: f([nn.Tanh()], fractions.Fraction(1, 2)).gamma, lambda: 0.5),
    *each(IResNet, "iterations", (*NO_INTEGERS[:-2], 0, -1), lambda f, v: f([nn.Tanh()], iterations=v), ValueError, "iterations must be an integer of at least 1, got"),
    *each(IResNet, "tolerance", (0, 1, -1e-3, NAN, "small", True), lambda f, v: f([nn.Tanh()], tolerance=v), ValueError, "tolerance must be None or a number between 0 and 1, got"),
    # Running forward and back
    *(row for method in (LayeredNet.forward, LayeredNet.run, LayeredNet.trajectory, LayeredNet.check_inversion) for row in bad_inputs(method)),
    *(row for method in (LayeredNet.forward, LayeredNet.run) for row in bad_results(method)),
    works(LayeredNet.forward, "NaN in float arithmetic", lambda f: np.isnan(f(momentum(arithmetic="float"), np.float32([[NAN, 1, 1, 1], [1, 1, 1, 1]])).data).any(axis=1), lambda: np.array([True, False])),
    works(LayeredNet.run, "infinity in float arithmetic", lambda f: np.isinf(f(momentum(nn.Tanh(), arithmetic="float"), np.float32([INF, 1])).values()[0]), lambda: np.array([True, False])),
    works(LayeredNet.trajectory, "no layers", lambda f: f(momentum(depth=0), X), lambda: X[None]),
    *(row for method in (LayeredNet.invert, LayeredNet.inverse_trajectory) for row in (
        *each(method, "state", (None, X, "state", (X, X)), lambda f, v: f(momentum(), v), ValueError, "state must come from run of this net and stand at layer 3, got"),
        case(method, "a state of another net", lambda f: f(momentum(), momentum().run(X)), ValueError, "state must come from run of this net and stand at layer 3, got another ExactState"),
        case(method, "a state made by hand", lambda f: f(momentum(), FloatState(X, 0.9)), ValueError, "state must come from run of this net"),
        case(method, "a state twice", lambda f: twice(f), ValueError, "stand at layer 3, got one at layer 0"),
        case(method, "a residual net", lambda f: after_run(f, ResidualNet([dense()])), ValueError, "a ResidualNet cannot be inverted"),
        case(method, "a gamma of 0", lambda f: after_run(f, momentum(gamma=0, backprop="stored")), ValueError, "gamma must be above 0 to invert, got 0"),
        case(method, "no contraction", lambda f: after_run(f, IResNet([lambda x: 2 * x])), RuntimeError, "the fixed-point iteration x <- y - f(x) did not converge in layer 0"),
    )),
    case(LayeredNet.check_inversion, "a residual net", lambda f: f(ResidualNet([dense()]), X), ValueError, "a ResidualNet cannot be inverted"),
    # States by themselves
    *(row for kind in (FloatState, ExactState) for row in (
        *each(kind, "position", (None, X.tolist(), 1.0, zeros(3, dtype=int), zeros(3, dtype=np.float16), Tensor(X)), lambda f, v: f(v, 0.5), TypeError, "position must be an ndarray of float32 or float64, got"),
        *unlike(kind.set_velocity, "velocity", lambda f, v, k=kind: f(k(X, 0.5), v)),
        *unlike(kind.step, "residual", lambda f, v, k=kind: f(k(X, 0.5), v)),
        *unlike(kind.undo_velocity, "residual", lambda f, v, k=kind: f(moved(k), v)),
        works(kind.step, "a strided residual", lambda f, k=kind: stepped(f, k, strided(X)), lambda k=kind: stepped(k.step, k, X)),
        works(kind.undo_velocity, "a strided residual", lambda f, k=kind: undone(f, k, strided(X)), lambda k=kind: undone(k.undo_velocity, k, X)),
    )),
    *each(FloatState, "gamma", (*NO_NUMBERS, -0.1, 1), lambda f, v: f(X, v), ValueError, "gamma must be a finite number of at least 0 and below 1, got"),
    *each(ExactState, "gamma", (NAN, INF, -0.1, 1, 1e-9, "0.5", None, True, 1j), lambda f, v: f(X, v), ValueError, "gamma must be"),
    *each(ExactState, "x of", (NAN, INF), lambda f, v: f(X + np.float32(v), 0.5), ValueError, "x must be finite in exact arithmetic, got NaN or infinity"),
    *each(ExactState.set_velocity, "velocity of", (NAN, INF), lambda f, v: f(ExactState(X, 0.5), X + np.float32(v)), ValueError, "the initial velocity must be finite in exact arithmetic, got NaN or infinity"),
    case(ExactState.step, "a residual of NaN", lambda f: f(ExactState(X, 0.5), X * np.float32(NAN)), FloatingPointError, "the residual function of layer 0 returned NaN"),
    case(ExactState.step, "a residual of infinity", lambda f: f(ExactState(X, 0.5), X + np.float32(INF)), OverflowError, "left the range of exact arithmetic"),
    *(case(kind.undo_velocity, "a gamma of 0", lambda f, k=kind: f(moved(k, 0), X), ValueError, "gamma must be above 0 to invert, got 0") for kind in (FloatState, ExactState)),
    case(ExactState.verify_start, "a state that never began", lambda f: f(moved(ExactState), None), RuntimeError, "running back did not end where the run began"),
    case(State.verify_same, "another state", lambda f: f(moved(ExactState), ExactState(X, 0.5).arrays()), RuntimeError, "running forward again did not lead to the same x and v"),
    # Lipschitz constants
    *each(spectral_norm, "layer", (None, nn.Tanh(), X, nn.Linear), lambda f, v: f(v), TypeError, "layer must be a Linear or Conv2d, got"),
    case(spectral_norm, "a convolution without a size", lambda f: f(nn.Conv2d(2, 2, 3)), ValueError, "size must be the (height, width) of the images that a Conv2d gets, got None"),
    case(spectral_norm, "images smaller than the window", lambda f: f(nn.Conv2d(2, 2, 3), (2, 5)), ValueError, "size must be at least that of the window (3, 3), got (2, 5)"),
    *each(spectral_norm, "size", (0, (3, -1)), lambda f, v: f(nn.Conv2d(2, 2, 1), v), ValueError, "size must be one or two integers of at least 1, got"),
    *each(spectral_norm, "weights of", (NAN, INF), lambda f, v: f(filled(v)), ValueError, "weights must be finite, got NaN or infinity"),
    works(spectral_norm, "weights of 0", lambda f: f(filled(0)), lambda: 0.0),
    *each(limit_lipschitz, "module", (None, [nn.Linear(2, 2)], X, nn.Linear), lambda f, v: f(v), TypeError, "module must be a Module, got"),
    *each(limit_lipschitz, "coefficient", (*NO_NUMBERS, 0, 1, -0.5), lambda f, v: f(dense(), v), ValueError, "coefficient must be a finite number above 0 and below 1, got"),
    *each(limit_lipschitz, "weights of", (NAN, INF), lambda f, v: f(filled(v)), ValueError, "weights must be finite, got NaN or infinity in Linear"),
    works(limit_lipschitz, "no layers", lambda f: f(nn.Tanh()), lambda: 0.0),
    # Models
    *(row for make in (*RESNETS, *LARGE, models.revnet20) for row in (
        *each(make, "classes", (0, -1), lambda f, v: f(v), ValueError, "classes must be at least 1, got"),
        *each(make, "classes", (1.5, "10", None, True), lambda f, v: f(v), TypeError, "classes must be an integer, got"),
    )),
    *(row for make in RESNETS for row in each(make, "shortcut", NO_NAMES, lambda f, v: f(shortcut=v), ValueError, "shortcut must be one of A, B, got")),
    *each(models.CifarResNet, "depth", (0, -1), lambda f, v: f(v), ValueError, "depth must be at least 1, got"),
    *each(models.CifarResNet, "depth", NO_INTEGERS, lambda f, v: f(v), TypeError, "depth must be an integer, got"),
    *each(models.CifarResNet, "width", (0, -16), lambda f, v: f(1, width=v), ValueError, "width must be at least 1, got"),
    *each(models.ImageNetResNet, "block", (None, "basic", nn.Linear, 3), lambda f, v: f(v, (1, 1, 1, 1)), ValueError, "block must be BasicBlock or Bottleneck, got"),
    *each(models.ImageNetResNet, "depths", ((1, 1, 1), 4, None, "1111", (1,) * 5), lambda f, v: f(models.resnet.BasicBlock, v), ValueError, "depths must be four integers, got"),
    *each(models.ImageNetResNet, "depths", ((1, 1, 1, 0), (1, -1, 1, 1)), lambda f, v: f(models.resnet.BasicBlock, v), ValueError, "depths must be at least 1, got"),
    *each(models.CifarRevNet, "depth", (0, -1), lambda f, v: f(v), ValueError, "depth must be at least 1, got"),
    *each(models.CifarRevNet, "width", (3, 21), lambda f, v: f(1, width=v), ValueError, "width must be even, as the channels are halved, got"),
    *each(models.CifarRevNet, "width", ("20", None, 2.0), lambda f, v: f(1, width=v), TypeError, "width must be an integer, got"),
    *each(models.CifarRevNet, "arithmetic", NO_NAMES, lambda f, v: f(1, arithmetic=v), ValueError, "arithmetic must be one of exact, float, got"),
    *(row for method in (models.CifarResNet.forward, models.CifarResNet.features, models.CifarResNet.stem) for row in (
        case(method, "images of rank 3", lambda f: f(tiny(), zeros(8, 8, 3)), ValueError, "x must have 4 axes (n, height, width, channels)"),
        case(method, "channels first", lambda f: f(tiny(), zeros(2, 3, 8, 8)), ValueError, "x must have 3 channels on its last axis"),
        case(method, "bytes", lambda f: f(tiny(), zeros(2, 8, 8, 3, dtype=np.uint8)), TypeError, "float32 or float64, got uint8"),
        works(method, "no images, in evaluation", lambda f: len(f(tiny().eval(), zeros(0, 8, 8, 3))), lambda: 0),
    )),
    case(models.ImageNetResNet.stem, "images of rank 3", lambda f: f(models.ImageNetResNet(models.resnet.BasicBlock, (1, 1, 1, 1), 2, 2), zeros(8, 8, 3)), ValueError, "x must have 4 axes"),
    case(models.CifarRevNet.stem, "grey images", lambda f: f(models.CifarRevNet(1, 2, 4), zeros(2, 8, 8, 1)), ValueError, "x must have 3 channels on its last axis"),
    *each(models.pretrained, "name", NO_NAMES, lambda f, v: f(v), ValueError, "name must be one of momentum_resnet20, got"),
    *each(models.pretrained, "arithmetic", NO_NAMES, lambda f, v: f(arithmetic=v), ValueError, "arithmetic must be one of exact, float, got"),
    # Conversion
    *each(models.to_momentum, "net", (None, "resnet20", models.resnet20, X, nn.Linear), lambda f, v: f(v, 0.9), TypeError, "net must be a Module, got"),
    *each(models.to_momentum, "gamma", (NAN, 1, -0.1, "0.9", None, True), lambda f, v: f(tiny(), v), ValueError, "gamma must be a number of at least 0 and below 1, got"),
    *each(models.to_momentum, "layers", ("layer1", 1, {"layer1"}), lambda f, v: f(tiny(), 0.9, v), TypeError, "layers must be a sequence of names, got"),
    *each(models.to_momentum, "layers", (["layer9"], ["conv1"], [3], [None], ["forward"]), lambda f, v: f(tiny(), 0.9, v), ValueError, "layers must name Sequential modules of blocks, got"),
    case(models.to_momentum, "a net that names no stages", lambda f: f(dense(), 0.9), ValueError, "layers must be given for Sequential, which does not name its stages"),
    case(models.to_momentum, "a converted net", lambda f: f(f(tiny(), 0.9), 0.9), ValueError, "layers must name stages of ordinary blocks, but layer1 has been converted already"),
    *each(models.to_momentum, "keep_first_block", NO_FLAGS, lambda f, v: f(tiny(), 0.9, keep_first_block=v), TypeError, "keep_first_block must be True or False, got"),
    case(models.to_momentum, "a first block that changes the shape", lambda f: f(tiny(), 0.9, keep_first_block=False), ValueError, "layer2 has a block that changes the shape"),
    *each(models.to_momentum, "init_velocity", (3, "zero", zeros(2)), lambda f, v: f(tiny(), 0.9, init_velocity=v), TypeError, "init_velocity must be callable or None, got"),
    case(models.to_momentum, "init_velocity for blocks without channels", lambda f: f(Bare(), 0.9, ["stage"], init_velocity=dense), ValueError, "layers must name stages whose blocks have out_channels to go with init_velocity, got 'stage'"),
    *each(models.to_momentum, "arithmetic", NO_NAMES, lambda f, v: f(tiny(), 0.9, arithmetic=v), ValueError, "arithmetic must be one of exact, float, got"),
    case(models.to_momentum, "an unknown backprop", lambda f: f(tiny(), 0.9, backprop="free"), ValueError, "backprop must be one of reversible, stored, checkpointed, got 'free'"),
    *each(models.to_residual, "net", (None, "net", tiny), lambda f, v: f(v), TypeError, "net must be a Module, got"),
    case(models.to_residual, "a net that names no stages", lambda f: f(dense()), ValueError, "net must name its stages, got Sequential"),
    case(models.to_residual, "initial velocities", lambda f: f(models.to_momentum(tiny(), 0.9, init_velocity=lambda channels: nn.Tanh())), ValueError, "net must not have initial velocities, layer1 has one"),
    works(models.to_residual, "a residual net", lambda f: list(f(tiny()).state_dict()), lambda: list(tiny().state_dict())),
    # Weights
    *each(models.pytorch_state_dict, "net", (None, "net", {}, nn.Linear), lambda f, v: f(v), TypeError, "net must be a Module, got"),
    *each(models.load_pytorch_state_dict, "net", (None, "net", {}), lambda f, v: f(v, {}), TypeError, "net must be a Module, got"),
    *each(models.save_pytorch_state_dict, "net", (None, "net", {}), lambda f, v: f(v, "weights.npz"), TypeError, "net must be a Module, got"),
    *each(models.save_pytorch_state_dict, "path", ("weights.pt", "weights", ""), lambda f, v: f(tiny(), v), ValueError, "path must end in .npz or .safetensors, got"),
    *each(models.save_pytorch_state_dict, "path", (None, 3, ["weights.npz"]), lambda f, v: f(tiny(), v), TypeError, "path must be a path, got"),
    case(models.save_pytorch_state_dict, "a folder that is not there", lambda f: f(tiny(), "nowhere/weights.npz"), FileNotFoundError, "nowhere"),
    *each(models.load_pytorch_state_dict, "source", (None, 3, [1], zeros(3)), loaded, TypeError, "source must be a mapping or a path, got"),
    *each(models.load_pytorch_state_dict, "source", ("weights.pt", "weights.pth", "weights.bin", ""), loaded, ValueError, "source must be an .npz or .safetensors file, got"),
    case(models.load_pytorch_state_dict, "a file that is not there", lambda f: loaded(f, "nowhere.npz"), FileNotFoundError, "nowhere.npz"),
    case(models.load_pytorch_state_dict, "nothing", lambda f: loaded(f, {}), ValueError, "state dict does not fit: missing conv1.weight; "),
    case(models.load_pytorch_state_dict, "an entry too many", lambda f: loaded(f, tiny_state(more=zeros(3))), ValueError, "state dict does not fit: unexpected more"),
    case(models.load_pytorch_state_dict, "our own layout", lambda f: loaded(f, tiny().state_dict()), ValueError, "conv1.weight has shape (3, 3, 3, 4), expected (4, 3, 3, 3)"),
    case(models.load_pytorch_state_dict, "texts", lambda f: loaded(f, tiny_state() | {"linear.bias": ["a", "b", "c"]}), ValueError, "linear.bias must hold numbers, got <U1"),
    case(models.load_pytorch_state_dict, "objects", lambda f: loaded(f, tiny_state() | {"linear.bias": np.array([None] * 3)}), ValueError, "linear.bias must hold numbers, got object"),
    works(models.load_pytorch_state_dict, "strided arrays", lambda f: loaded(f, {name: strided(array) for name, array in tiny_state().items()}).state_dict().keys(), lambda: tiny().state_dict().keys()),
    # Unrolled algorithms
    *(row for kind, make in ((IstaFunction, lambda f, v: f(v, 0.1)), (UnrolledIsta, lambda f, v: f("resnet", v, 0.1, 2))) for row in (
        *each(kind, "dictionary", (None, 3.0, zeros(3), zeros(0, 3), zeros(2, 2, 2), [["a"]]), make, ValueError, "dictionary must be an array (measurements, atoms) of numbers, got"),
        *each(kind, "dictionary of", (NAN, INF, 0), lambda f, v, m=make: m(f, np.full((2, 3), v)), ValueError, "dictionary must be finite and not all 0"),
    )),
    *each(IstaFunction, "penalty", (*NO_NUMBERS, -0.1), lambda f, v: f(DICTIONARY, v), ValueError, "penalty must be a finite number of at least 0, got"),
    *each(IstaFunction, "step", (0, -1, NAN, "1"), lambda f, v: f(DICTIONARY, 0.1, v), ValueError, "step must be a finite number above 0, got"),
    *each(UnrolledIsta, "kind", NO_NAMES, lambda f, v: f(v, DICTIONARY, 0.1, 2), ValueError, "kind must be one of resnet, momentum, revnet, got"),
    *each(UnrolledIsta, "depth", NO_INTEGERS, lambda f, v: f("resnet", DICTIONARY, 0.1, v), TypeError, "depth must be an integer, got"),
    *each(UnrolledIsta, "gamma", (0, 1, NAN, "0.5"), lambda f, v: f("momentum", DICTIONARY, 0.1, 2, v), ValueError, "gamma must be"),
    case(IstaFunction.forward, "atoms", lambda f: f(IstaFunction(DICTIONARY, 0.1), zeros(2, 5), zeros(2, 3)), ValueError, "x must have 6 features on its last axis"),
    case(IstaFunction.forward, "measurements", lambda f: f(IstaFunction(DICTIONARY, 0.1), zeros(2, 6), zeros(2, 4)), ValueError, "broadcast"),
    *(row for method in (UnrolledIsta.forward, UnrolledIsta.trajectory) for row in (
        *each(method, "y", (None, [[0.0] * 3], "y", 1.0), lambda f, v: f(UnrolledIsta("resnet", DICTIONARY, 0.1, 2), v), TypeError, "y must be a Tensor or ndarray, got"),
        *each(method, "y", (zeros(3), zeros(), zeros(1, 2, 3)), lambda f, v: f(UnrolledIsta("resnet", DICTIONARY, 0.1, 2), v), ValueError, "y must have 2 axes (n, measurements), got shape"),
        case(method, "measurements", lambda f: f(UnrolledIsta("resnet", DICTIONARY, 0.1, 2), zeros(2, 4)), ValueError, "broadcast"),
    )),
    case(soft_threshold, "shapes", lambda f: f(Tensor(zeros(3)), zeros(2)), ValueError, "broadcast"),
    case(soft_threshold, "a text", lambda f: f(Tensor(zeros(3)), "1"), TypeError, "float32 or float64, got"),
]  # fmt: skip


def after_run(f, net):
    return f(net, net.run(X))


def twice(f):
    net = momentum()
    state = net.run(X)
    f(net, state)
    f(net, state)


def filled(value):
    layer = nn.Linear(2, 2)
    layer.weight.data[...] = value
    return layer


def stepped(f, kind, residual):
    """x after a step."""
    state = kind(X, 0.5)
    f(state, residual)
    return state.values()[0]


def undone(f, kind, residual):
    """x and v after a step and back."""
    state = kind(X, 0.5)
    state.step(X)
    state.undo_position()
    f(state, residual)
    return state.values()
