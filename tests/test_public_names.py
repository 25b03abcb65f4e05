"""The names and options that users rely on: a change of structure must leave them where they are."""

import importlib

import pytest

from mininet.__main__ import _parser

NAMES = {
    "mininet": "IResNet MomentumNet ResidualNet RevNet Tensor check_gradient check_jacobian datasets enable_grad "
    "functional get_num_threads manual_seed models nn no_grad optim set_num_threads track_memory",
    "mininet.functional": "absolute add avg_pool2d batch_norm causal_attention clip concatenate conv2d cross_entropy "
    "divide dropout embedding exp flatten gelu getitem global_avg_pool2d group_norm layer_norm leaky_relu linear log "
    "log_softmax logsigmoid matmul max max_pool2d maximum mean min mse_loss multiply negative pad power relu reshape "
    "sigmoid silu softmax softplus split sqrt stack subtract sum tanh transpose var where",
    "mininet.nn": "AvgPool2d BatchNorm2d CausalSelfAttention Conv2d Dropout Embedding Flatten GELU GlobalAvgPool2d "
    "GroupNorm Identity LayerNorm Linear MaxPool2d Module ModuleList Parameter ReLU Sequential SiLU Sigmoid Tanh",
    "mininet.optim": "Adam AdamW CosineDecay MultiStepDecay Optimizer SGD Schedule clip_grad_norm",
    "mininet.models": "CifarResNet CifarRevNet ImageNetResNet Transformer load_pytorch_state_dict pretrained "
    "pytorch_state_dict resnet101 resnet110 resnet152 resnet18 resnet20 resnet32 resnet34 resnet38 resnet44 resnet50 "
    "resnet56 revnet20 save_pytorch_state_dict to_momentum to_residual",
    "mininet.datasets": "Batches CIFAR10_CLASSES ImageFolder Split Text TextBatches augmentation cifar10 cifar100 "
    "digits moby_dick",
    "mininet.reversible": "AdjointResNet BDIANet ExactState FloatState IResNet InversionReport MomentumNet "
    "ResidualNet RevNet limit_lipschitz spectral_norm",
    "mininet.grader": "CannotLoad Outcome PROMISES Report grade load promises_for try_promise write_template",
    "mininet.typing": "Arithmetic Backprop FloatArray IntegerArray PathLike ResidualFunction TensorLike",
    "mininet.plotting": "bytes_upwards figure readable_bytes save save_animation style",
    "mininet.profiling": "Profile profile",
    "mininet.seeding": "generator_for manual_seed position restore restored_on_error rewound",
    "mininet.sharding": "Processes Shards",
    "mininet.kernels.buffers": "get_limit set_limit",
}

OPTIONS = {
    "compare": "--depth --width --gamma --arithmetic --epochs --batch-size --learning-rate --seed --output --quiet",
    "train": "--network --gamma --arithmetic --dataset --data --download --normalization --prefix --learned-velocity "
    "--weights --epochs --batch-size --learning-rate --weight-decay --blocks --width --heads --context --warmup "
    "--dropout --backprop --seed --shards --resume --checkpoint-seconds --output --quiet",
    "write": "start --count --temperature --top-k --seed",
    "evaluate": "--network --gamma --arithmetic --dataset --data --download --normalization --prefix --weights "
    "--confusion",
    "reproduce": "experiment --quick --data --epochs --seeds --weights --no-training --output --quiet",
    "grade": "path --template --chapter --exact",
    "info": "--profile --depth --width --batch-size --size --arithmetic",
}


@pytest.mark.parametrize("module", NAMES)
def test_public_names_are_there(module):
    found = importlib.import_module(module)
    missing = [name for name in NAMES[module].split() if not hasattr(found, name)]
    assert not missing
    assert set(getattr(found, "__all__", [])) <= set(NAMES[module].split())


def test_commands_and_their_options():
    found = {
        name: [(action.option_strings or [action.dest])[-1] for action in command._actions if action.dest != "help"]
        for name, command in _parser()[1].items()
    }
    assert found == {name: options.split() for name, options in OPTIONS.items()}
