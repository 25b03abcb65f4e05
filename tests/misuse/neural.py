"""Modules, layers and optimisers."""

import numpy as np
from misuse.table import INF, NAN, NO_FLAGS, NO_INTEGERS, NO_NUMBERS, case, dense, each, random, works, zeros
from support import strided

from mininet import Tensor, nn, optim

BELOW_1 = (0, -1, -(2**70))
X = random(2, 6, 6, 3)


class Nothing(nn.Module):
    pass


def parameters(count=2):
    return [nn.Parameter(np.ones(3, np.float32)) for _ in range(count)]


def stepped(optimizer):
    for parameter in optimizer.parameters:
        parameter.grad = np.ones(3, np.float32)
    optimizer.step()
    return optimizer


def sgd(**settings):
    return optim.SGD(parameters(), 0.1, **settings)


def state(**changes):
    return dense().state_dict() | changes


def loaded(f, entries, net=None):
    """`Module.load_state_dict`, after which nothing may have changed if it is refused."""
    net = dense() if net is None else net
    before = {name: array.copy() for name, array in net.state_dict().items()}
    try:
        f(net, entries)
    except (TypeError, ValueError):
        assert all(np.array_equal(array, before[name]) for name, array in net.state_dict().items())
        raise
    return net


MODULE, OPTIMIZER, SCHEDULE = nn.Module, optim.Optimizer, optim.Schedule
EYE = np.eye(4)

CASES = [
    # Settings of layers
    *(row for kind, arguments, name in (
        (nn.Linear, lambda v: (v, 2), "in_features"), (nn.Linear, lambda v: (2, v), "out_features"),
        (nn.Conv2d, lambda v: (v, 2, 3), "in_channels"), (nn.Conv2d, lambda v: (2, v, 3), "out_channels"),
        (nn.BatchNorm2d, lambda v: (v,), "num_features"))
      for row in (*each(kind, name, NO_INTEGERS, lambda f, v, a=arguments: f(*a(v)), TypeError, f"{name} must be an integer, got"),
                  *each(kind, name, BELOW_1, lambda f, v, a=arguments: f(*a(v)), ValueError, f"{name} must be at least 1, got"))),
    *each(nn.Linear, "bias", NO_FLAGS, lambda f, v: f(2, 2, v), TypeError, "bias must be True or False, got"),
    *each(nn.Conv2d, "bias", NO_FLAGS, lambda f, v: f(2, 2, 3, bias=v), TypeError, "bias must be True or False, got"),
    *each(nn.Conv2d, "kernel_size", (0, -1, (3, 3, 3), (0, 1)), lambda f, v: f(2, 2, v), ValueError, "kernel_size must be one or two integers of at least 1, got"),
    *each(nn.Conv2d, "kernel_size", (1.5, "3", None, True), lambda f, v: f(2, 2, v), TypeError, "kernel_size must be an integer or a pair of integers, got"),
    *each(nn.Conv2d, "stride", (0, (1, 0)), lambda f, v: f(2, 2, 3, v), ValueError, "stride must be one or two integers of at least 1, got"),
    *each(nn.Conv2d, "padding", (-1, (0, -1)), lambda f, v: f(2, 2, 3, 1, v), ValueError, "padding must be one or two integers of at least 0, got"),
    *each(nn.Conv2d, "padding", ("same", None, 0.5), lambda f, v: f(2, 2, 3, 1, v), TypeError, "padding must be an integer or a pair of integers, got"),
    *each(nn.BatchNorm2d, "eps", (*NO_NUMBERS, -1e-5), lambda f, v: f(2, v), ValueError, "eps must be a finite number of at least 0, got"),
    *each(nn.BatchNorm2d, "momentum", (*NO_NUMBERS, -0.1, 1.1), lambda f, v: f(2, momentum=v), ValueError, "momentum must be a finite number of at least 0 and at most 1, got"),
    *(row for kind in (nn.MaxPool2d, nn.AvgPool2d) for row in (
        *each(kind, "size", (0, -1), lambda f, v: f(v), ValueError, "size must be one or two integers of at least 1, got"),
        *each(kind, "size", ("2", None, 2.0, True), lambda f, v: f(v), TypeError, "size must be an integer or a pair of integers, got"),
        *each(kind, "stride", (0, "2"), lambda f, v: f(2, v), (TypeError, ValueError), "stride must be"),
        case(kind, "a padding too large", lambda f: f(2, padding=2), ValueError, "padding must be at most half of size (2, 2), got (2, 2)"),
    )),
    *each(nn.Dropout, "p", (*NO_NUMBERS, -0.1, 1, 1.5), lambda f, v: f(v), ValueError, "p must be a finite number of at least 0 and below 1, got"),
    works(nn.Dropout, "a number of NumPy", lambda f: f(np.float32(0.5)).p, lambda: 0.5),
    works(nn.Linear, "integers of NumPy", lambda f: f(np.int64(3), np.uint8(2)).weight.shape, lambda: (3, 2)),
    *each(nn.Sequential, "a module", ("relu", None, 3, [nn.ReLU()]), lambda f, v: f(nn.ReLU(), v), TypeError, "Sequential takes modules, got"),
    case(nn.Sequential, "a class instead of a module", lambda f: f(nn.ReLU), TypeError, "Sequential takes modules, got the class ReLU"),
    case(nn.Sequential, "an index out of bounds", lambda f: f(nn.ReLU())[1], IndexError, "out of range"),
    works(nn.Sequential, "nothing", lambda f: f()(X), lambda: X),
    *each(nn.Parameter, "array", (None, "text", zeros(2, dtype=int)), lambda f, v: f(v), TypeError, "a Tensor holds float32 or float64, got"),
    # Calls of layers
    case(nn.Linear.forward, "features", lambda f: f(nn.Linear(3, 2), zeros(4, 2)), ValueError, "x must have 3 features on its last axis, as weight (3, 2) says, got shape (4, 2)"),
    case(nn.Conv2d.forward, "channels", lambda f: f(nn.Conv2d(3, 2, 3), zeros(1, 4, 4, 2)), ValueError, "x must have 3 channels on its last axis"),
    case(nn.Conv2d.forward, "channels first", lambda f: f(nn.Conv2d(3, 2, 3), zeros(1, 3, 8, 8)), ValueError, "x must have 3 channels on its last axis, as weight (3, 3, 3, 2) says, got shape (1, 3, 8, 8)"),
    case(nn.Conv2d.forward, "an image too small", lambda f: f(nn.Conv2d(3, 2, 3), zeros(1, 2, 4, 3)), ValueError, "a window of height 3 does not fit into 2 pixels"),
    case(nn.BatchNorm2d.forward, "channels", lambda f: f(nn.BatchNorm2d(3), zeros(4, 2)), ValueError, "x, weight and bias must have shapes"),
    case(nn.BatchNorm2d.forward, "one value a channel", lambda f: f(nn.BatchNorm2d(3), zeros(1, 3)), ValueError, "x must have at least 2 values in every channel to train on"),
    case(nn.BatchNorm2d.forward, "relu", lambda f: f(nn.BatchNorm2d(3), zeros(4, 3), relu="yes"), TypeError, "relu must be True or False, got 'yes'"),
    *(case(kind.forward, "rank", lambda f, k=kind: f(k(2), zeros(4, 4, 3)), ValueError, "x must have 4 axes") for kind in (nn.MaxPool2d, nn.AvgPool2d)),
    case(nn.GlobalAvgPool2d.forward, "rank", lambda f: f(nn.GlobalAvgPool2d(), zeros(4, 3)), ValueError, "x must have 4 axes"),
    case(nn.Flatten.forward, "a scalar", lambda f: f(nn.Flatten(), 1.0), ValueError, "x must have at least 1 axis to flatten, got a scalar"),
    *(case(layer.forward, "integers", lambda f, k=layer: f(k(), zeros(2, 2, dtype=int)), TypeError, "float32 or float64, got int64") for layer in (nn.ReLU, nn.Tanh, nn.Flatten, nn.Dropout)),
    case(nn.Sequential.forward, "what does not fit inside", lambda f: f(dense(), zeros(2, 3)), ValueError, "x must have 4 features"),
    case(nn.Dropout.forward, "None", lambda f: f(nn.Dropout(), None), TypeError, "float32 or float64, got object"),
    works(nn.Sequential.forward, "a strided batch", lambda f: f(dense(), strided(random(5, 4))), lambda: dense()(random(5, 4))),
    works(nn.Conv2d.forward, "an empty batch", lambda f: f(nn.Conv2d(3, 2, 3), zeros(0, 5, 5, 3)), lambda: zeros(0, 3, 3, 2)),
    case(MODULE.forward, "that is not defined", lambda f: Nothing()(X), NotImplementedError, "Nothing does not define forward"),
    # Modules
    *each(MODULE.register_buffer, "name", (None, 3, "", "a b", "a.b"), lambda f, v: f(Nothing(), v, zeros(3)), ValueError, "name must be that of an attribute, got"),
    *each(MODULE.register_buffer, "array", (None, [0.0], 0.0, Tensor([1.0])), lambda f, v: f(Nothing(), "mean", v), TypeError, "array must be a ndarray, got"),
    *each(MODULE.load_state_dict, "state", (None, "weights.npz", [("a", 1)], zeros(3)), loaded, TypeError, "state must be a mapping of names to arrays, got"),
    case(MODULE.load_state_dict, "nothing", lambda f: loaded(f, {}), ValueError, "state does not fit: missing 0.bias; missing 0.weight"),
    case(MODULE.load_state_dict, "an entry too many", lambda f: loaded(f, state(more=zeros(3))), ValueError, "state does not fit: unexpected more"),
    case(MODULE.load_state_dict, "a shape", lambda f: loaded(f, state() | {"0.weight": zeros(3, 4)}), ValueError, "0.weight has shape (3, 4), expected (4, 4)"),
    case(MODULE.load_state_dict, "integers", lambda f: loaded(f, state() | {"0.weight": np.eye(4, dtype=int)}), ValueError, "0.weight has dtype int64, expected floats"),
    case(MODULE.load_state_dict, "texts", lambda f: loaded(f, state() | {"0.bias": ["a", "b", "c", "d"]}), ValueError, "0.bias has dtype <U1, expected floats"),
    case(MODULE.load_state_dict, "numbers beyond float32", lambda f: loaded(f, state() | {"0.weight": 1e300 * EYE}), ValueError, "0.weight has values beyond float32"),
    case(MODULE.load_state_dict, "lists of different lengths", lambda f: loaded(f, state() | {"0.weight": [[1.0], [1.0, 2.0]]}), ValueError, "state['0.weight'] must be an array or lists of equal lengths"),
    works(MODULE.load_state_dict, "float64 and lists", lambda f: loaded(f, {"0.weight": EYE, "0.bias": [1.0] * 4})[0].bias.data, lambda: np.ones(4, np.float32)),
    works(MODULE.load_state_dict, "strided arrays", lambda f: loaded(f, {"0.weight": strided(EYE), "0.bias": zeros(4)})[0].weight.data, lambda: np.eye(4, dtype=np.float32)),
    works(MODULE.load_state_dict, "NaN and infinity", lambda f: loaded(f, state() | {"0.bias": np.array([NAN, INF, 0, 1])})[0].bias.data, lambda: np.float32([NAN, INF, 0, 1])),
    *each(MODULE.train, "mode", NO_FLAGS, lambda f, v: f(dense(), v), TypeError, "mode must be True or False, got"),
    *each(MODULE.to, "dtype", (None, "float16", np.float16, int, "text", 32, complex, zeros(2)), lambda f, v: f(dense(), v), TypeError, "dtype must be float32 or float64, got"),
    works(MODULE.to, "a name", lambda f: f(dense(), "float64")[0].weight.dtype.name, lambda: "float64"),
    # Optimisers
    *(row for kind in (optim.SGD, optim.Adam) for row in (
        *each(kind, "lr", (*NO_NUMBERS, -0.1), lambda f, v: f(parameters(), v), ValueError, "lr must be a finite number of at least 0, got"),
        *each(kind, "weight_decay", (NAN, INF, -1e-4, "0", None), lambda f, v: f(parameters(), 0.1, weight_decay=v), ValueError, "weight_decay must be a finite number of at least 0, got"),
        *each(kind, "parameters", (None, 3, nn.Linear(3, 3), nn.Parameter(zeros(3))), lambda f, v: f(v, 0.1), TypeError, "parameters must be a sequence of tensors, got"),
        *each(kind, "parameters", ([zeros(3)], [None], ["weight"], dense()), lambda f, v: f(v, 0.1), TypeError, "parameters must be tensors, got"),
        case(kind, "named parameters", lambda f: f(dense().named_parameters(), 0.1), TypeError, "parameters must be tensors, got tuple"),
        case(kind, "no parameters", lambda f: f([], 0.1), ValueError, "parameters must hold at least one tensor"),
        case(kind, "a computed tensor", lambda f: f([parameters()[0] * 2], 0.1), ValueError, "parameters must be leaves, got one of shape (3,) that was computed"),
        case(kind, "a parameter twice", lambda f: f(2 * parameters(1), 0.1), ValueError, "parameters must differ, got one of them twice"),
        case(kind, "a parameter that became float64", lambda f: stepped_as_float64(f), TypeError, "a parameter has become float64 since the first step: make a new optimiser for it"),
        works(kind, "a learning rate of NumPy", lambda f: f(parameters(), np.float32(0.5)).lr, lambda: 0.5),
        works(kind, "a generator of parameters", lambda f: len(f(dense().parameters(), 0.1).parameters), lambda: 2),
        works(kind, "a learning rate of 0", lambda f: stepped(f(parameters(), 0)).parameters[0].data, lambda: np.ones(3, np.float32)),
    )),
    *each(optim.SGD, "momentum", (*NO_NUMBERS, -0.1, 1), lambda f, v: f(parameters(), 0.1, v), ValueError, "momentum must be a finite number of at least 0 and below 1, got"),
    *each(optim.SGD, "nesterov", NO_FLAGS, lambda f, v: f(parameters(), 0.1, 0.9, v), TypeError, "nesterov must be True or False, got"),
    case(optim.SGD, "nesterov without momentum", lambda f: f(parameters(), 0.1, nesterov=True), ValueError, "nesterov needs a momentum above 0"),
    *each(optim.Adam, "betas", (0.9, None, (0.9,), (0.9, 0.99, 0.999), "ab"[:1]), lambda f, v: f(parameters(), betas=v), ValueError, "betas must be two numbers, got"),
    *each(optim.Adam, "betas", ((1, 0.9), (0.9, NAN), (-0.1, 0.9), ("0.9", 0.9)), lambda f, v: f(parameters(), betas=v), ValueError, "betas must be a finite number of at least 0 and below 1, got"),
    *each(optim.Adam, "eps", (NAN, -1e-8, "0"), lambda f, v: f(parameters(), eps=v), ValueError, "eps must be a finite number of at least 0, got"),
    case(OPTIMIZER, "the base class, without an update", lambda f: stepped(f(parameters(), 0.1)), NotImplementedError, "Optimizer does not define _update; use SGD or Adam"),
    *each(OPTIMIZER.load_state_dict, "state", (None, "state.npz", [1], 0.1), lambda f, v: f(sgd(), v), TypeError, "state must be a mapping, as state_dict gives it, got"),
    *each(OPTIMIZER.load_state_dict, "lr", (None, "text", NAN, -1.0, [0.1], zeros(2)), lambda f, v: f(sgd(), {"lr": v}), ValueError, "lr in state must be a finite number of at least 0, got"),
    case(OPTIMIZER.load_state_dict, "no lr", lambda f: f(sgd(), {}), ValueError, "lr in state must be a finite number of at least 0, got None"),
    *each(OPTIMIZER.load_state_dict, "an entry", ("2.velocity", "0.mean", "velocity", "x.velocity", "-1.velocity", ""), lambda f, v: f(sgd(), {"lr": 0.1, v: zeros(3)}), ValueError, "that does not fit SGD with 2 parameters"),
    *each(OPTIMIZER.load_state_dict, "a velocity", (zeros(2), np.zeros(3), 0.0, "text", None), lambda f, v: f(sgd(), {"lr": 0.1, "0.velocity": v}), ValueError, "state entry '0.velocity' must have shape (3,) and dtype float32, got"),
    *each(OPTIMIZER.load_state_dict, "steps", (1.5, "2", None, [1, 2]), lambda f, v: f(optim.Adam(parameters()), {"lr": 0.1, "0.steps": v}), TypeError, "state entry '0.steps' must be an integer, got"),
    works(OPTIMIZER.load_state_dict, "arrays of one element, as in files", lambda f: [f(o := sgd(), {"lr": np.array([0.5])}), o.lr][1], lambda: 0.5),
    # Schedules
    *(row for kind, setting in ((optim.MultiStepDecay, [3]), (optim.CosineDecay, 9)) for row in
      each(kind, "optimizer", (None, 0.1, parameters()), lambda f, v, s=setting: f(v, s), TypeError, "optimizer must be an Optimizer, got")),
    case(SCHEDULE, "the base class, without a factor", lambda f: f(sgd()), NotImplementedError, "Schedule does not define factor"),
    *each(optim.MultiStepDecay, "milestones", (3, None, "12", {1: 2}), lambda f, v: f(sgd(), v), TypeError, "milestones must be a sequence of integers, got"),
    *each(optim.MultiStepDecay, "milestones", ([1.5], ["1"], [None], [True]), lambda f, v: f(sgd(), v), TypeError, "milestones must be an integer, got"),
    *each(optim.MultiStepDecay, "milestones", ([0], [2, -1]), lambda f, v: f(sgd(), v), ValueError, "milestones must be at least 1, got"),
    *each(optim.MultiStepDecay, "decay", (NAN, -0.1, "0.1", None), lambda f, v: f(sgd(), [1], v), ValueError, "decay must be a finite number of at least 0, got"),
    *each(optim.CosineDecay, "total", (0, -1), lambda f, v: f(sgd(), v), ValueError, "total must be at least 1, got"),
    *each(optim.CosineDecay, "total", ("9", None, 9.0), lambda f, v: f(sgd(), v), TypeError, "total must be an integer, got"),
    *each(optim.CosineDecay, "warmup", (9, 10), lambda f, v: f(sgd(), 9, v), ValueError, "warmup must be below total 9, got"),
    case(optim.CosineDecay, "a warmup below 0", lambda f: f(sgd(), 9, -1), ValueError, "warmup must be at least 0, got -1"),
    works(optim.CosineDecay.factor, "steps beyond the end", lambda f: f(optim.CosineDecay(sgd(), 9), 99), lambda: 0.0),
    works(optim.MultiStepDecay.factor, "no milestones", lambda f: f(optim.MultiStepDecay(sgd(), []), 99), lambda: 1.0),
    *each(SCHEDULE.load_state_dict, "state", (None, "state.npz", [1]), lambda f, v: f(optim.CosineDecay(sgd(), 9), v), TypeError, "state must be a mapping, as state_dict gives it, got"),
    *each(SCHEDULE.load_state_dict, "state", ({}, {"steps": 1}, {"steps": 1, "initial_lr": 0.1, "more": 1}), lambda f, v: f(optim.CosineDecay(sgd(), 9), v), ValueError, "state must have initial_lr, steps, got"),
    *each(SCHEDULE.load_state_dict, "initial_lr", (NAN, "0.1", None, -1), lambda f, v: f(optim.CosineDecay(sgd(), 9), {"initial_lr": v, "steps": 1}), ValueError, "initial_lr in state must be a finite number of at least 0, got"),
    *each(SCHEDULE.load_state_dict, "steps", (1.5, "1", None), lambda f, v: f(optim.CosineDecay(sgd(), 9), {"initial_lr": 0.1, "steps": v}), TypeError, "steps in state must be an integer, got"),
]  # fmt: skip


def stepped_as_float64(kind):
    optimizer = stepped(kind(parameters(), 0.1, 0.9) if kind is optim.SGD else kind(parameters(), 0.1))
    for parameter in optimizer.parameters:
        parameter.data = parameter.data.astype(np.float64)
        parameter.grad = np.ones(3)
    optimizer.step()
