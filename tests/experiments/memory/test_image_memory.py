"""Memory of image networks against depth: the growth with each layer, kind by kind."""

import pytest

from mininet import models
from mininet.experiments.memory.image_memory import METHODS, by_depth, draw, large, table

DEPTHS = (4, 8)
BATCH, SIZE, WIDTH = 4, 16, 8


@pytest.fixture(scope="module")
def steps():
    return by_depth(DEPTHS, BATCH, SIZE, WIDTH)


def parameter_bytes(depth):
    net = models.CifarResNet(depth, width=WIDTH)
    return sum(array.nbytes for array in net.state_dict().values()), sum(p.data.nbytes for p in net.parameters())


@pytest.mark.parametrize("method", ["float", "exact", "paper"])
def test_a_momentum_layer_adds_parameters_their_gradients_and_nothing_else(steps, method):
    shallow, deep = steps[method]
    for kind in ("activations", "state", "checkpoints", "optimizer"):
        assert deep.by_kind[kind] == shallow.by_kind[kind], kind
    (few_arrays, few), (many_arrays, many) = (parameter_bytes(depth) for depth in DEPTHS)
    assert deep.by_kind["parameters"] - shallow.by_kind["parameters"] == many_arrays - few_arrays
    # one layer's gradients may be there twice while they are handed over
    layer = (many - few) // (3 * (DEPTHS[1] - DEPTHS[0])) * 4
    assert abs(deep.by_kind["gradients"] - shallow.by_kind["gradients"] - (many - few)) <= layer
    # 4 momentum layers more of log2(10/9) bits are far from filling the packed words
    assert deep.by_kind["side information"] == shallow.by_kind["side information"]


def test_side_information_is_a_word_for_each_element(steps):
    elements = BATCH * SIZE * SIZE * WIDTH * (1 + 1 / 2 + 1 / 4)  # the stages of a network
    for method in ("exact", "paper"):
        assert steps[method][0].by_kind["side information"] == 4 * elements
    assert steps["float"][0].by_kind["side information"] == 0


def test_a_residual_network_stores_every_block(steps):
    shallow, deep = steps["stored"]
    blocks = DEPTHS[1] - DEPTHS[0]
    block = BATCH * SIZE * SIZE * WIDTH * 4  # bytes of one array of the first stage
    growth = deep.by_kind["activations"] - shallow.by_kind["activations"]
    assert growth >= 4 * blocks * block * (1 + 1 / 2 + 1 / 4)
    assert deep.by_kind["state"] == 0


def test_layers_are_counted(steps):
    for found in steps.values():
        assert [step.layers for step in found] == [6 * depth + 2 for depth in DEPTHS]


def test_table_and_figure(steps):
    lines = table(steps).splitlines()
    assert len(lines) == 2 + len(DEPTHS)
    assert all(name in lines[0] for name in METHODS.values())
    held = large(lambda: models.ImageNetResNet(models.resnet.Bottleneck, (1, 2, 1, 1), 5, width=4), 2, 64)
    for step in held.values():
        assert sum(step.at_peak.values()) == step.peak_bytes
    assert next(iter(held.values())).layers == 17
    figure = draw(steps, held)
    assert [line.get_label() for line in figure.axes[0].lines] == list(METHODS.values())
    assert len(draw(steps).axes) == 1
