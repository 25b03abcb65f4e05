"""What a type checker must accept and conclude of mininet, and what it must refuse; `test_typed` also runs it.

Refused uses carry the code of their error.  They stand in functions that nobody calls, as they are mistakes; mypy
warns of an ignored error that is none.
"""

import pathlib
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

from mininet import (
    IResNet,
    MomentumNet,
    ResidualNet,
    RevNet,
    Tensor,
    check_gradient,
    datasets,
    enable_grad,
    manual_seed,
    models,
    nn,
    no_grad,
    optim,
    plotting,
    seeding,
    track_memory,
)
from mininet import functional as F
from mininet.autodiff import Operation, gradients, replaying
from mininet.models.unrolled import UnrolledIsta
from mininet.precision import bits_of_difference, describe_difference
from mininet.reversible import ExactState, FloatState, InversionReport, limit_lipschitz, spectral_norm
from mininet.training import Epoch, Training, accuracy
from mininet.typing import Arithmetic, FloatArray, ResidualFunction

X = np.random.default_rng(0).standard_normal((4, 8)).astype(np.float32)


def readme() -> None:
    """The example of the README."""
    manual_seed(0)
    functions = [nn.Sequential(nn.Linear(8, 8), nn.Tanh()) for _ in range(10)]
    net = MomentumNet(functions, gamma=0.9)
    loss = F.mse_loss(net(X), np.zeros_like(X))
    loss.backward()
    assert_type(loss, Tensor)
    assert_type(net.check_inversion(X), InversionReport)
    assert_type(net.check_inversion(X).is_exact, bool)
    net.functions[0][0].weight.grad  # noqa: B018 - functions are of whatever class they were given


def readme_on_images(folder: pathlib.Path) -> None:
    """The other one, of networks for images."""
    net = models.resnet20(width=4)
    assert_type(net, models.CifarResNet)
    models.save_pytorch_state_dict(net, folder / "resnet20.npz")
    models.load_pytorch_state_dict(net, folder / "resnet20.npz")
    assert_type(models.to_momentum(net, gamma=0.9), models.CifarResNet)
    trained, facts = models.pretrained()
    assert_type(facts["classes"], list[str])
    assert_type(trained(np.zeros((1, 32, 32, 3), np.float32)), Tensor)


def tensors() -> None:
    """The engine."""
    x = Tensor(X, requires_grad=True)
    assert_type(x * 2 + 1, Tensor)
    assert_type(1 / (x * x + 1), Tensor)
    assert_type(-x @ x.T, Tensor)
    assert_type(x[:, 0], Tensor)
    assert_type(x[..., np.array([0, 2])], Tensor)
    assert_type(x > 0, NDArray[np.bool_])
    assert_type(x.sum(axis=(0, 1)).item(), float)
    assert_type(x.reshape(2, -1).transpose(1, 0).reshape((8, 4)), Tensor)
    assert_type(x.grad, FloatArray | None)
    assert_type(np.asarray(x), FloatArray)
    assert_type(gradients(x.sum(), np.ones((), np.float32), [x]), list[FloatArray | None])
    Tensor([[1, 2.5], [3, 4]])
    F.concatenate([x, X])
    for row in x:
        assert_type(row, Tensor)
    with no_grad(), enable_grad(), replaying(seeding.position()):
        F.dropout(x)

    @no_grad()
    def without_tape(y: Tensor) -> Tensor:
        return y.exp()

    assert_type(without_tape(x), Tensor)
    check_gradient(lambda a, b: a * b, np.ones(2), np.ones(2))
    square = Operation("square", lambda a: (a * a, (a,)), lambda saved, gradient, needs: (2 * saved[0] * gradient,))
    assert_type(square(x), Tensor)


def scaled(x: Tensor, factor: Tensor | FloatArray) -> Tensor:
    """A residual function that takes an input beside x."""
    return (x * factor).tanh()


class Twice(nn.Module):
    """A module as users write them."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8, bias=False)
        self.register_buffer("seen", np.zeros(1, np.float32))

    def forward(self, x: Tensor) -> Tensor:
        """Both times the same."""
        return self.layer(self.layer(x))


def networks() -> None:
    """Layered networks, their states, and what can be done with their parameters."""
    arithmetic: Arithmetic = "float"
    functions: list[ResidualFunction] = [Twice(), nn.Linear(8, 8), scaled, lambda x, factor: x * factor]
    net = MomentumNet(functions[2:], 0.5, init_velocity=nn.Linear(8, 8), arithmetic=arithmetic)
    assert_type(net(X, X), Tensor)
    state = net.run(X, factor=X)
    assert_type(state, ExactState | FloatState)
    assert_type(net.invert(state, factor=X), tuple[FloatArray, FloatArray])
    rival = RevNet([nn.Linear(4, 4)], backprop="checkpointed")
    assert_type(rival.invert(rival.run(X)), FloatArray)
    ResidualNet(functions[:2], backprop="stored").trajectory(X)
    contractive = IResNet([nn.Linear(8, 8)])
    assert_type(limit_lipschitz(contractive, 0.5), float)
    assert_type(spectral_norm(contractive.functions[0]), float)
    assert_type(contractive.invert(contractive.run(X)), FloatArray)

    module = Twice().to(np.float64).train().eval()
    assert_type(module, Twice)
    assert_type(module(Tensor(X.astype(np.float64))), Tensor)
    assert_type(dict(module.named_parameters()), dict[str, nn.Parameter])
    module.load_state_dict(module.state_dict())
    assert_type(nn.Linear(2, 2).bias, nn.Parameter | None)
    assert_type(nn.Sequential(nn.ReLU(), F.tanh)[:1], nn.Sequential)
    assert_type(UnrolledIsta("resnet", np.eye(3), 0.1, 2).trajectory(np.ones((1, 3), np.float32)), FloatArray)


def training(folder: pathlib.Path) -> None:
    """Data, optimisers, a training, counting memory, figures."""
    data = datasets.digits()
    assert_type(data.train_labels, NDArray[np.int64])
    batches = datasets.Batches(data.train_images[:8], data.train_labels[:8], 4, transform=lambda images, random: images)
    for images, labels in batches:
        assert_type(images, NDArray[Any])
        assert_type(labels, NDArray[Any])
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    schedule = optim.CosineDecay(optimizer, total=2)
    with track_memory() as memory:
        history = Training(net, optimizer, schedule, batches, batches, epochs=1, progress=False).run()
    assert_type(history, list[Epoch])
    assert_type(memory.by_kind["activations"], int)
    assert_type(accuracy(net, batches), float)
    assert_type(bits_of_difference(X, X), int)
    assert_type(describe_difference(X, X), str)
    with plotting.figure() as (figure, axes):
        axes.plot([epoch.loss for epoch in history], **plotting.style("exact", label="loss"))
    plotting.save(figure, folder / "loss.png")


def mistakes() -> None:
    """None of these is right, and a type checker says so."""
    MomentumNet([nn.Linear(8, 8)], arithmetic="exakt")  # type: ignore[arg-type]
    MomentumNet([nn.Linear(8, 8)], gamma="0.9")  # type: ignore[arg-type]
    MomentumNet([nn.Tanh])  # type: ignore[list-item]
    MomentumNet([lambda x: 1.0])  # type: ignore[list-item]
    ResidualNet([nn.Linear(8, 8)], backprop="reversible")  # type: ignore[arg-type]
    MomentumNet([]).invert(RevNet([]).run(X))  # type: ignore[arg-type]
    nn.Linear(8, 8)("x")  # type: ignore[arg-type]
    nn.Linear(8)  # type: ignore[call-arg]
    Twice()(X)  # type: ignore[arg-type]
    nn.Linear(8, 8).to(np.int64)  # type: ignore[arg-type]
    nn.Linear(8, 8).bias.data  # type: ignore[union-attr]  # noqa: B018
    Tensor(X).grad.sum()  # type: ignore[union-attr]
    Tensor(X) + "1"  # type: ignore[operator]
    F.conv2d(X, X, stride=(1, 1, 1))  # type: ignore[arg-type]
    optim.SGD(nn.Linear(8, 8), lr=0.1)  # type: ignore[arg-type]
    models.pretrained("resnet20")  # type: ignore[call-overload]
    models.to_momentum([nn.Linear(8, 8)], 0.9)  # type: ignore[type-var]
