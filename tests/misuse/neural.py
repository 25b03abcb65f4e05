"""Modules, layers and optimisers."""

import numpy as np
from misuse.table import INF, NAN, NO_FLAGS, NO_INTEGERS, NO_NUMBERS, case, dense, each, random, zeros

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
      for row in each(kind, name, lambda f, v, a=arguments: f(*a(v)), types=NO_INTEGERS, values=BELOW_1)),
    *each(nn.Linear, "bias", lambda f, v: f(2, 2, v), types=NO_FLAGS),
    *each(nn.Conv2d, "bias", lambda f, v: f(2, 2, 3, bias=v), types=NO_FLAGS),
    *each(nn.Conv2d, "kernel_size", lambda f, v: f(2, 2, v), types=(1.5, "3", None, True), values=(0, -1, (3, 3, 3), (0, 1))),
    *each(nn.Conv2d, "stride", lambda f, v: f(2, 2, 3, v), values=(0, (1, 0))),
    *each(nn.Conv2d, "padding", lambda f, v: f(2, 2, 3, 1, v), types=("same", None, 0.5), values=(-1, (0, -1))),
    *each(nn.Conv2d, "groups", lambda f, v: f(2, 4, 3, groups=v), types=NO_INTEGERS, values=(0, 4)),
    *each(nn.Conv2d, "method", lambda f, v: f(2, 2, 3, method=v), values=("fast", None)),
    *each(nn.GroupNorm, "num_groups", lambda f, v: f(v, 4), types=NO_INTEGERS, values=(0, 3)),
    *each(nn.GroupNorm, "num_channels", lambda f, v: f(1, v), types=NO_INTEGERS, values=BELOW_1),
    *each(nn.GroupNorm, "eps", lambda f, v: f(1, 2, v), values=(*NO_NUMBERS, -1e-5)),
    *each(nn.LayerNorm, "channels", lambda f, v: f(v), types=NO_INTEGERS, values=BELOW_1),
    *each(nn.GELU, "approximate", lambda f, v: f(v), values=("erf", None)),
    *(row for name, arguments in (("num_embeddings", lambda v: (v, 2)), ("embedding_dim", lambda v: (2, v))) for row in
      each(nn.Embedding, name, lambda f, v, a=arguments: f(*a(v)), types=NO_INTEGERS, values=BELOW_1)),
    *each(nn.CausalSelfAttention, "heads", lambda f, v: f(4, v), types=NO_INTEGERS, values=(0, 3)),
    *each(nn.CausalSelfAttention, "dropout", lambda f, v: f(4, 2, v), values=(NAN, 1)),
    *each(nn.BatchNorm2d, "eps", lambda f, v: f(2, v), values=(*NO_NUMBERS, -1e-5)),
    *each(nn.BatchNorm2d, "momentum", lambda f, v: f(2, momentum=v), values=(*NO_NUMBERS, -0.1, 1.1)),
    *(row for kind in (nn.MaxPool2d, nn.AvgPool2d) for row in (
        *each(kind, "kernel_size", lambda f, v: f(v), types=("2", None, 2.0, True), values=(0, -1)),
        *each(kind, "stride", lambda f, v: f(2, v), other=((TypeError, ValueError), (0, "2"))),
    )),
    *each(nn.Dropout, "p", lambda f, v: f(v), values=(*NO_NUMBERS, -0.1, 1, 1.5), says="p must"),
    *each(nn.Sequential, "a module", lambda f, v: f(nn.ReLU(), v), types=("relu", None, 3, [nn.ReLU()]), says="Sequential takes modules, got"),
    *each(nn.ModuleList, "a module", lambda f, v: f([nn.ReLU(), v]), types=("relu", None, 3, [nn.ReLU()], nn.ReLU), says="ModuleList takes modules, got"),
    *each(nn.Parameter, "array", lambda f, v: f(v), types=(None, "text", zeros(2, dtype=int)), says="float32"),
    # Calls of layers
    case(nn.Linear.forward, "features", lambda f: f(nn.Linear(3, 2), zeros(4, 2)), ValueError, "x must"),
    case(nn.Conv2d.forward, "channels", lambda f: f(nn.Conv2d(3, 2, 3), zeros(1, 4, 4, 2)), ValueError, "x must"),
    case(nn.BatchNorm2d.forward, "relu", lambda f: f(nn.BatchNorm2d(3), zeros(4, 3), relu="yes"), TypeError, "relu"),
    case(MODULE.forward, "that is not defined", lambda f: Nothing()(X), NotImplementedError, "Nothing does not define forward"),
    # Modules
    *each(MODULE.register_buffer, "name", lambda f, v: f(Nothing(), v, zeros(3)), values=(None, 3, "", "a b", "a.b")),
    *each(MODULE.register_buffer, "array", lambda f, v: f(Nothing(), "mean", v), types=(None, [0.0], 0.0, Tensor([1.0]))),
    *each(MODULE.load_state_dict, "state", loaded, types=(None, "weights.npz", [("a", 1)], zeros(3))),
    *each(MODULE.load_state_dict, "strict", lambda f, v: f(dense(), state(), v), types=NO_FLAGS),
    case(MODULE.load_state_dict, "a shape, not strictly", lambda f: f(dense(), {"0.bias": zeros(3)}, strict=False), ValueError, "0.bias has shape (3,), expected (4,)"),
    case(MODULE.load_state_dict, "nothing", lambda f: loaded(f, {}), ValueError, "0.bias"),
    case(MODULE.load_state_dict, "a shape", lambda f: loaded(f, state() | {"0.weight": zeros(3, 4)}), ValueError, "0.weight has shape (3, 4), expected (4, 4)"),
    case(MODULE.load_state_dict, "integers", lambda f: loaded(f, state() | {"0.weight": np.eye(4, dtype=int)}), ValueError, "0.weight has dtype int64, expected floats"),
    case(MODULE.load_state_dict, "numbers beyond float32", lambda f: loaded(f, state() | {"0.weight": 1e300 * EYE}), ValueError, "0.weight has values beyond float32"),
    *each(MODULE.train, "mode", lambda f, v: f(dense(), v), types=NO_FLAGS),
    *each(MODULE.to, "dtype", lambda f, v: f(dense(), v), types=(None, "float16", np.float16, int, "text", 32, complex, zeros(2))),
    # Optimisers
    *(row for kind in (optim.SGD, optim.Adam, optim.AdamW) for row in (
        *each(kind, "lr", lambda f, v: f(parameters(), v), values=(*NO_NUMBERS, -0.1), says="lr must"),
        *each(kind, "weight_decay", lambda f, v: f(parameters(), 0.1, weight_decay=v), values=(NAN, INF, -1e-4, "0", None)),
        *each(kind, "parameters", lambda f, v: f(v, 0.1), types=(None, 3, nn.Linear(3, 3), nn.Parameter(zeros(3)), [zeros(3)], [None], ["weight"], dense())),
        case(kind, "no parameters", lambda f: f([], 0.1), ValueError, "parameters"),
        case(kind, "a computed tensor", lambda f: f([parameters()[0] * 2], 0.1), ValueError, "parameters"),
        case(kind, "a group of nothing", lambda f: f([{"lr": 0.1}], 0.1), ValueError, "parameters: a group needs"),
        case(kind, "a setting that is none", lambda f: f([{"params": parameters(), "rate": 1}], 0.1), ValueError, "parameters: a group may have its own lr"),
        case(kind, "a bad setting of a group", lambda f: f([{"params": parameters(), "lr": -1}], 0.1), ValueError, "lr must"),
        case(kind, "a parameter in two groups", lambda f: f([{"params": p} for p in 2 * [parameters()]], 0.1), ValueError, "parameters"),
        case(kind, "a parameter twice", lambda f: f(2 * parameters(1), 0.1), ValueError, "parameters"),
    )),
    *each(optim.SGD, "momentum", lambda f, v: f(parameters(), 0.1, v), values=(*NO_NUMBERS, -0.1, 1)),
    *each(optim.SGD, "nesterov", lambda f, v: f(parameters(), 0.1, 0.9, v), types=NO_FLAGS),
    case(optim.SGD, "nesterov without momentum", lambda f: f(parameters(), 0.1, nesterov=True), ValueError, "nesterov"),
    *each(optim.Adam, "betas", lambda f, v: f(parameters(), betas=v), values=(0.9, None, (0.9,), (0.9, 0.99, 0.999), "ab"[:1], (1, 0.9), (0.9, NAN), (-0.1, 0.9), ("0.9", 0.9))),
    *each(optim.Adam, "eps", lambda f, v: f(parameters(), eps=v), values=(NAN, -1e-8, "0")),
    case(OPTIMIZER, "the base class, without an update", lambda f: stepped(f(parameters(), 0.1)), NotImplementedError, "Optimizer does not define _update; use SGD or Adam"),
    *each(OPTIMIZER.load_state_dict, "state", lambda f, v: f(sgd(), v), types=(None, "state.npz", [1], 0.1)),
    *each(OPTIMIZER.load_state_dict, "lr", lambda f, v: f(sgd(), {"lr": v}), values=(None, "text", NAN, -1.0, [], [0.1, 0.1], zeros(2)), says="lr in"),
    *each(OPTIMIZER.load_state_dict, "an entry", lambda f, v: f(sgd(), {"lr": 0.1, v: zeros(3)}), values=("2.velocity", "0.mean", "velocity", "x.velocity", "-1.velocity", ""), says="that does not fit SGD with 2 parameters"),
    *each(OPTIMIZER.load_state_dict, "a velocity", lambda f, v: f(sgd(), {"lr": 0.1, "0.velocity": v}), values=(zeros(2), np.zeros(3), 0.0, "text", None), says="0.velocity"),
    *each(OPTIMIZER.load_state_dict, "parameters", lambda f, v: f(sgd(), {"lr": 0.1, "parameters": v}), values=(None, 1, 3, "two"), says="state must be of 2 parameters, got"),
    *each(optim.clip_grad_norm, "max_norm", lambda f, v: f(parameters(), v), values=(*NO_NUMBERS, -1)),
    *each(optim.clip_grad_norm, "parameters", lambda f, v: f(v, 1), types=(None, nn.Parameter(zeros(3)), [zeros(3)])),
    *each(OPTIMIZER.load_state_dict, "steps", lambda f, v: f(optim.Adam(parameters()), {"lr": 0.1, "0.steps": v}), types=(1.5, "2", None, [1, 2])),
    # Schedules
    *(row for kind, setting in ((optim.MultiStepDecay, [3]), (optim.CosineDecay, 9)) for row in
      each(kind, "optimizer", lambda f, v, s=setting: f(v, s), types=(None, 0.1, parameters()))),
    case(SCHEDULE, "the base class, without a factor", lambda f: f(sgd()), NotImplementedError, "Schedule does not define factor"),
    *each(optim.MultiStepDecay, "milestones", lambda f, v: f(sgd(), v), types=(3, "12", {1: 2}, [1.5], [True]), values=([0], [2, -1])),
    *each(optim.MultiStepDecay, "decay", lambda f, v: f(sgd(), [1], v), values=(NAN, -0.1, "0.1", None)),
    *each(optim.CosineDecay, "total", lambda f, v: f(sgd(), v), types=("9", None, 9.0), values=(0, -1)),
    *each(optim.CosineDecay, "warmup", lambda f, v: f(sgd(), 9, v), values=(9, 10, -1)),
    *each(SCHEDULE.load_state_dict, "state", lambda f, v: f(optim.CosineDecay(sgd(), 9), v), types=(None, "state.npz", [1]), values=({}, {"steps": 1}, {"steps": 1, "initial_lr": 0.1, "more": 1})),
    *each(SCHEDULE.load_state_dict, "initial_lr", lambda f, v: f(optim.CosineDecay(sgd(), 9), {"initial_lr": v, "steps": 1}), values=(NAN, "0.1", None, -1)),
    *each(SCHEDULE.load_state_dict, "steps", lambda f, v: f(optim.CosineDecay(sgd(), 9), {"initial_lr": 0.1, "steps": v}), types=(1.5, "1", None)),
]  # fmt: skip
