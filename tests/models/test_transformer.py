"""Transformers: against PyTorch (see `benchmarks/transformer_reference.py`), their rules, and writing with a cache."""

import pathlib

import numpy as np
import pytest

from mininet import Tensor, manual_seed, models
from mininet import functional as F
from mininet.memory import track_memory

with np.load(pathlib.Path(__file__).with_name("transformer.npz")) as _file:
    RECORDED = dict(_file)
SIZES = {"vocabulary": 11, "context": 70, "width": 12, "heads": 2, "blocks": 2}
WEIGHTS = {key.removeprefix("weights."): array for key, array in RECORDED.items() if key.startswith("weights.")}
TOKENS = RECORDED["tokens"]
OPERATIONS = {
    "attention": lambda x: F.causal_attention(x, 2),
    "layer_norm": lambda x: F.layer_norm(x, np.ones(18, x.dtype), np.zeros(18, x.dtype)),
    "gelu.none": F.gelu,
    "gelu.tanh": lambda x: F.gelu(x, "tanh"),
}
FAR = {np.float64: 1e-10, np.float32: 2e-5}
"""Numbers of about 1 to 10, through sums of some 100 terms and 4 layers."""


def loaded(dtype=np.float64, **settings):
    net = models.Transformer(**SIZES, **settings).to(dtype)
    models.load_pytorch_state_dict(net, WEIGHTS, layout="linear")
    return net


def loss_of(net, tokens, following):
    logits = net(tokens)
    loss = F.cross_entropy(F.reshape(logits, -1, logits.shape[-1]), following.reshape(-1))
    net.zero_grad()
    loss.backward()
    return logits.data, loss.item(), {name: parameter.grad for name, parameter in net.named_parameters()}


@pytest.mark.parametrize("dtype", FAR)
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_those_of_pytorch(name, dtype):
    x = Tensor(RECORDED[f"{name}.x"].astype(dtype), requires_grad=True)
    out = OPERATIONS[name](x)
    out.backward(np.cos(np.arange(out.size)).reshape(out.shape).astype(dtype))
    np.testing.assert_allclose(out.data, RECORDED[f"{name}.out"], rtol=0, atol=FAR[dtype])
    np.testing.assert_allclose(x.grad, RECORDED[f"{name}.gradient"], rtol=0, atol=FAR[dtype])


@pytest.mark.parametrize("dtype", FAR)
@pytest.mark.parametrize(("gamma", "arithmetic"), [(0.0, "float"), (0.9, "float"), (0.9, "exact")])
def test_logits_and_gradients_are_those_of_pytorch(gamma, arithmetic, dtype):
    net = models.to_momentum(loaded(dtype), gamma, arithmetic=arithmetic)
    logits, loss, gradients = loss_of(net, TOKENS, np.roll(TOKENS, -1, 1))
    far = FAR[dtype] * (100 if arithmetic == "exact" and dtype == np.float64 else 1)  # units of 9e-13, 4 layers
    np.testing.assert_allclose(logits, RECORDED[f"{gamma}.logits"], rtol=0, atol=far)
    np.testing.assert_allclose(loss, RECORDED[f"{gamma}.loss"], rtol=0, atol=far)
    for name, gradient in gradients.items():
        expected = RECORDED[f"{gamma}.{name}"]
        expected = expected.T if ".c_" in name and name.endswith("weight") else expected
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=far, err_msg=name)


def test_momentum_without_momentum_is_the_transformer():
    net = loaded(np.float32)
    assert np.array_equal(models.to_momentum(net, 0.0, arithmetic="float")(TOKENS).data, net(TOKENS).data)
    back = models.to_residual(models.to_momentum(net, 0.5))
    assert np.array_equal(back(TOKENS).data, net(TOKENS).data)


def small(blocks, **settings):
    manual_seed(0)
    return models.Transformer(11, 8, 8, 2, blocks, **settings)


@pytest.mark.parametrize("kind", ["momentum", "revnet"])
def test_memory_free_is_stored_to_the_last_bit_with_dropout_and_no_more_activations(kind):
    tokens = np.random.default_rng(0).integers(0, 11, (2, 9))
    found = {}
    for backprop in ("stored", "checkpointed", "reversible"):
        net = small(12, dropout=0.2).with_layers(kind, 0.9, backprop=backprop)
        with track_memory() as memory:
            found[backprop] = loss_of(net, tokens[:, :-1], tokens[:, 1:])
    for way in ("checkpointed", "reversible"):
        for one, other in zip(found["stored"][:2], found[way][:2], strict=True):
            assert np.array_equal(one, other)
        for name, gradient in found["stored"][2].items():
            assert np.array_equal(gradient, found[way][2][name]), name
    few = small(2, dropout=0.2).with_layers(kind, 0.9)
    with track_memory() as of_few:
        loss_of(few, tokens[:, :-1], tokens[:, 1:])
    assert memory.by_kind["activations"] == of_few.by_kind["activations"]


def test_revnet_of_two_streams_is_what_its_rule_says():
    net = small(2).eval()
    x = net.wte(TOKENS[:, :8]) + net.wpe(np.arange(8))
    a = b = x
    for block in net.h:
        for branch in block.branches:
            a, b = b, a + branch(b)
    expected = F.linear(net.ln_f((a + b) * 0.5), F.transpose(net.wte.weight))
    np.testing.assert_allclose(net.with_layers("revnet")(TOKENS[:, :8]).data, expected.data, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["residual", "momentum", "revnet"])
def test_with_a_cache_logits_are_those_without(kind):
    net = loaded().with_layers(kind, arithmetic="float").eval() if kind != "residual" else loaded().eval()
    cache, parts = {}, []
    for cut in np.split(TOKENS, [7, 8, 9, 20, 21], axis=1):
        parts.append(net(cut, cache).data)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), net(TOKENS).data, rtol=0, atol=1e-10)


def test_generation_takes_likely_tokens_and_goes_on_behind_the_context():
    net = small(1)
    net.wte.weight.data[...] *= 50
    manual_seed(3)
    drawn = net.generate([[1, 2, 3]], 30, top_k=2)
    manual_seed(3)
    assert np.array_equal(net.generate([[1, 2, 3]], 30, top_k=2), drawn)
    assert drawn.shape == (1, 33)
    assert net.training
    for place in range(3, 8):  # in the first context
        likely = np.argsort(-net.eval()(drawn[:, :place]).data[0, -1])[:2]
        assert drawn[0, place] in likely
    greedy = net.generate([[1, 2, 3]], 1, temperature=0)[0, -1]
    assert greedy == net(np.array([[1, 2, 3]])).data[0, -1].argmax()


def test_state_dicts_of_gpt2_in_both_layouts():
    net, other = loaded(np.float32), models.Transformer(**SIZES)
    for layout in ("linear", "gpt2"):
        state = models.pytorch_state_dict(net, layout)
        assert list(state) == list(WEIGHTS)
        assert np.array_equal(state["h.0.attn.c_proj.weight"].T, net.h[0].attn.c_proj.weight.data) == (
            layout == "linear"
        )
        given = {f"transformer.{name}": array for name, array in state.items()}
        given |= {"lm_head.weight": state["wte.weight"], "transformer.h.0.attn.bias": np.ones((1, 1, 70, 70)),
                  "transformer.h.0.attn.masked_bias": np.array(-1e4)}  # fmt: skip
        models.load_pytorch_state_dict(models.to_momentum(other, 0.9), given, layout=layout)
        assert np.array_equal(other(TOKENS).data, net(TOKENS).data)
    given["lm_head.weight"] = given["lm_head.weight"] + 1
    with pytest.raises(ValueError, match=r"lm_head\.weight differs"):
        models.load_pytorch_state_dict(other, given)
