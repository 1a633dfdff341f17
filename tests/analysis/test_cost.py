"""Weights, multiply-adds and the rest, by hand and as published."""

from __future__ import annotations

import pytest

from dotcnn.compiler.analysis.cost import Cost, Totals, costs, totals
from dotcnn.compiler.network import Network
from networks import gallery, layers


def of(network: Network, place: int) -> Cost:
    return costs(network)[place]


def whole(network: Network, frozen: frozenset[int] = frozenset()) -> Totals:
    return totals(network, costs(network, frozen))


def test_a_convolution_by_hand() -> None:
    cost = of(layers("conv 10 3x3", input="3x6x6"), 1)
    assert cost.params == cost.trainable == 10 * 3 * 3 * 3 + 10 == 280
    assert cost.macs == 10 * 4 * 4 * 3 * 3 * 3
    assert cost.flops == 2 * cost.macs
    assert cost.elementwise == 10 * 4 * 4  # the biases
    assert cost.activations == 10 * 4 * 4
    assert cost.connections == (3 * 6 * 6) * (10 * 4 * 4)


def test_connections_of_images_into_a_fully_connected_layer() -> None:
    """The figures that convolutions are introduced with."""
    network = layers("flatten, fc 1000", input="3x1000x1000")
    assert of(network, 2).connections == 3_000_000_000
    assert of(network, 2).trainable == 3_000_000_000 + 1000
    assert of(layers("flatten, fc 1", input="3x224x224"), 2).connections == 150_528
    assert of(layers("conv 1 3x3 same", input="1x200x200"), 1).connections == 1_600_000_000


def test_what_has_no_multiply_adds_has_no_connections() -> None:
    relu, pool = costs(layers("relu, pool max 2x2"))[1:]
    assert (relu.macs, relu.connections, relu.elementwise) == (0, 0, 3 * 32 * 32)
    assert (pool.macs, pool.connections, pool.params) == (0, 0, 0)


def test_max_pooling_keeps_a_quarter_of_the_activations() -> None:
    conv, pool = costs(layers("conv 8 3x3 same, pool max 2x2"))[1:]
    assert pool.activations * 4 == conv.activations


def test_a_bottleneck_saves_nine_tenths() -> None:
    """Direct 5x5 with 32 filters on 28x28x192, and behind a 1x1 of 16."""
    direct = layers("conv 32 5x5 same bias=off", input="192x28x28")
    behind = layers("conv 16 bias=off, conv 32 5x5 same bias=off", input="192x28x28")
    assert whole(direct).macs == 120_422_400
    assert [cost.macs for cost in costs(behind)[1:]] == [2_408_448, 10_035_200]
    assert whole(behind).macs == 12_443_648


def test_running_statistics_and_fixed_filters_are_buffers() -> None:
    bn, blur = costs(layers("bn, filter blur"))[1:]
    assert (bn.trainable, bn.buffers) == (6, 7)  # two means and variances of 3, a counter
    assert blur.params == 0
    assert blur.buffers > 0


def test_frozen_weights_are_parameters_and_not_trainable() -> None:
    network = layers("conv 4 3x3, conv 4 3x3")
    found = whole(network, frozenset({1}))
    assert (found.frozen, found.trainable) == (112, 148)
    assert found.params == 260 == whole(network).params


def test_a_dropout_costs_nothing() -> None:
    without, with_it = layers("conv 4, flatten, fc 2"), layers("conv 4, flatten, dropout 0.5, fc 2")
    a, b = whole(without), whole(with_it)
    assert (a.macs, a.elementwise, a.activations) == (b.macs, b.elementwise, b.activations)


def test_views_and_the_input_are_no_activations() -> None:
    network = layers("conv 4 3x3 same, relu, flatten, fc 2")
    assert whole(network).activations == 2 * 4 * 32 * 32 + 2


def test_auxiliary_heads_are_counted_apart() -> None:
    body = "conv 4 3x3 same{aux}, pool avg global, flatten, fc 10"
    plain = whole(layers(body.format(aux="")))
    headed = whole(layers(body.format(aux=", aux { pool avg global, flatten, fc 5 }")))
    assert (headed.params, headed.macs) == (plain.params, plain.macs)
    assert (headed.aux_params, headed.aux_macs) == (25, 20)
    assert headed.layers == plain.layers


def test_numbers_of_any_size_are_exact() -> None:
    network = layers(f"conv {2**60} 3x3 same bias=off", input=f"{2**40}x64x64")
    assert whole(network).macs == 2**60 * 2**40 * 9 * 64 * 64


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("alexnet/alexnet", 61_100_840, 714_188_480),
        ("vgg/vgg16", 138_357_544, 15_470_264_320),
        ("vgg/vgg16_bn", 138_365_992, 15_470_264_320),
        ("resnet/resnet18", 11_689_512, 1_814_073_344),
        ("resnet/resnet50", 25_557_032, 4_089_184_256),
        ("densenet/densenet121", 7_978_856, 2_834_161_664),
        ("mobilenet/mobilenet_v2", 3_504_872, 300_774_272),
        ("googlenet/googlenet", 6_624_904, 1_498_376_192),
    ],
)
def test_published_figures(name: str, params: int, macs: int) -> None:
    found = whole(gallery(name))
    assert (found.params, found.macs) == (params, macs)


def test_the_heads_of_googlenet() -> None:
    found = whole(gallery("googlenet/googlenet"))
    assert found.params + found.aux_params == 13_004_888


def test_most_weights_of_vgg_are_in_its_first_fc_and_most_activations_in_front() -> None:
    network = gallery("vgg/vgg16")
    found = costs(network)
    widest = max(range(len(found)), key=lambda n: found[n].params)
    assert network.nodes[widest].op.kind == "linear"
    assert found[widest].params * 2 > whole(network).params
    first_convolutions = found[1:5]
    assert sum(cost.activations for cost in first_convolutions) * 3 > whole(network).activations
