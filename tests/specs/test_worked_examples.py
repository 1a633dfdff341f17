"""Figures from lectures and papers, worked out by hand, and what the compiler says to them."""

from __future__ import annotations

import pytest
import torch

from dotcnn.compiler.analysis import analyse
from dotcnn.compiler.analysis.cost import Cost, costs
from dotcnn.compiler.analysis.field import fields
from dotcnn.compiler.network import Network
from dotcnn.compiler.shapes import Shape
from interpreter import Interpreter
from networks import gallery, layers


def shapes(network: Network, *words: str) -> list[Shape]:
    """Of what leaves the layers of these words."""
    return [node.shape for node in network.nodes if node.op.word in words]


def cost(network: Network, name: str) -> Cost:
    return costs(network)[network.by_name[name].index]


def params(network: Network) -> int:
    return analyse(network).totals.params


# ---- sizes --------------------------------------------------------------------------------------


def test_a_3x3_filter_on_6x6_leaves_4x4() -> None:
    assert layers("conv 1 3x3", input="1x6x6").output.shape == (1, 4, 4)


@pytest.mark.parametrize(
    ("n", "p", "f", "s"), [(7, 0, 3, 2), (224, 3, 7, 2), (39, 0, 3, 1), (37, 0, 5, 2), (8, 1, 4, 3)]
)
def test_the_size_that_leaves(n: int, p: int, f: int, s: int) -> None:
    """floor((n + 2p - f)/s) + 1."""
    side = (n + 2 * p - f) // s + 1
    found = layers(f"conv 1 {f}x{f} stride={s} pad={p}", input=f"1x{n}x{n}")
    assert found.output.shape == (1, side, side)


@pytest.mark.parametrize("f", [1, 3, 5, 7, 11])
def test_same_pads_half_of_what_a_filter_reaches_over(f: int) -> None:
    """(f - 1)/2 on each side; 32x32 with 5x5 filters stays 32x32, with a padding of 2."""
    same, by_hand = layers(f"conv 1 {f}x{f} same"), layers(f"conv 1 {f}x{f} pad={(f - 1) // 2}")
    assert same.output.shape == by_hand.output.shape == (1, 32, 32)
    assert fields(same)[1].start == (-((f - 1) // 2), -((f - 1) // 2))


def test_ten_filters_on_a_colour_image() -> None:
    found = layers("conv 10 3x3", input="3x6x6")
    assert found.output.shape == (10, 4, 4)
    assert params(found) == 10 * (3 * 3 * 3 + 1) == 280


def test_the_39x39_example() -> None:
    found = gallery("teaching/worked39")
    assert shapes(found, "conv") == [(10, 37, 37), (20, 17, 17), (40, 7, 7)]
    assert shapes(found, "flatten") == [(1960,)]


def test_lenet5() -> None:
    found = gallery("teaching/lenet5")
    maps = [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5)]
    assert shapes(found, "conv", "pool max") == maps
    assert shapes(found, "flatten", "fc") == [(400,), (120,), (84,), (10,)]
    assert params(found) == 61_706


def test_lenet5_of_1998() -> None:
    """The trainable numbers that the paper gives for its layers; 2,416 where it has 1,516 since a
    filter sees all six maps, and 850 in its last layer, whose numbers were drawn by hand."""
    learned = [layer.params for layer in costs(gallery("teaching/lenet5_1998")) if layer.params]
    assert learned == [156, 12, 2416, 32, 48_120, 10_164, 850]


# ---- what is seen -------------------------------------------------------------------------------


def test_filters_one_after_the_other_see_more_and_more() -> None:
    found = layers("conv 1 5x5, conv 1 5x5, conv 1 3x3")
    assert [field.size for field in fields(found)[1:]] == [(5, 5), (9, 9), (11, 11)]


@pytest.mark.parametrize("layers_of_3x3", [1, 2, 3, 10, 500])
def test_layers_of_3x3_filters(layers_of_3x3: int) -> None:
    """x of them see 2x + 1 pixels: 500 for an image of 1000x1000, 499 would miss a pixel."""
    found = layers(f"repeat {layers_of_3x3} {{ conv 1 3x3 same }}", input="1x1000x1000")
    side = 2 * layers_of_3x3 + 1
    assert fields(found)[-1].size == (side, side)
    assert (side >= 1000) == (layers_of_3x3 >= 500)


def test_with_pools_between_eight_are_enough() -> None:
    found = layers("repeat 8 { conv 4 3x3 same, pool max 2x2 }", input="1x1000x1000")
    assert found.output.shape == (4, 3, 3)


# ---- what it costs ------------------------------------------------------------------------------


def test_alexnet_has_sixty_million_parameters() -> None:
    assert params(gallery("alexnet/alexnet")) == 61_100_840
    assert params(gallery("teaching/alexnet_two_towers")) == 60_965_224


@pytest.mark.parametrize(("name", "total"), [("vgg16", 138_357_544), ("vgg19", 143_667_240)])
def test_vgg(name: str, total: int) -> None:
    """Most parameters are in the first fully connected layer, most numbers in the first maps."""
    found = gallery(f"vgg/{name}")
    assert params(found) == total
    fc = cost(found, "classifier.fc1").params
    assert fc == (512 * 7 * 7 + 1) * 4096
    assert fc > total / 2
    maps = [layer.activations for layer in costs(found) if layer.macs]
    assert sum(maps[:4]) > sum(maps) / 2


def test_a_bottleneck_pays() -> None:
    """32 filters 5x5 on 28x28x192: directly, and behind 16 filters 1x1."""
    direct, reduced = gallery("teaching/inception_naive"), gallery("teaching/inception_reduced")
    assert cost(direct, "conv3").macs == 120_422_400
    narrow, wide = cost(reduced, "conv4").macs, cost(reduced, "conv5").macs
    assert (narrow, wide, narrow + wide) == (2_408_448, 10_035_200, 12_443_648)


def test_an_inception_module() -> None:
    """64, 128, 32 and 32 channels; without a 1x1 behind the pool, its 192 stay."""
    assert gallery("teaching/inception_reduced").output.shape == (64 + 128 + 32 + 32, 28, 28)
    assert gallery("teaching/inception_naive").output.shape == (64 + 128 + 32 + 192, 28, 28)


@pytest.mark.parametrize(
    ("input", "units", "weights"),
    [("3x1000x1000", 1000, 3_000_000_000), ("3x224x224", 1, 150_528)],
)
def test_images_into_a_fully_connected_layer(input: str, units: int, weights: int) -> None:
    found = layers(f"flatten, fc {units} bias=off", input=input)
    assert params(found) == weights


def test_connections_that_a_convolution_does_without() -> None:
    """200x200 fully connected to 200x200 is 1.6 billion; 3x3 filters have 360,000, which are nine
    numbers again and again."""
    found = cost(layers("conv 1 3x3 same bias=off", input="1x200x200"), "conv")
    assert (found.connections, found.macs, found.params) == (1_600_000_000, 360_000, 9)


# ---- pooling ------------------------------------------------------------------------------------


def test_a_pool_of_2x2_keeps_a_quarter() -> None:
    found = layers("pool max 2x2", input="6x28x28")
    assert found.output.shape == (6, 14, 14)
    before, after = (c.activations for c in costs(found))
    assert after * 4 == before
    assert params(found) == 0


def test_windows_of_3x3_with_stride_2_overlap() -> None:
    found = layers("pool max 3x3 stride=2", input="96x55x55")
    assert found.output.shape == (96, 27, 27)
    field = fields(found)[-1]
    assert (field.size, field.jump) == ((3, 3), (2, 2))


# ---- numbers ------------------------------------------------------------------------------------

IMAGE = """
81   2 209  44  71  58
24  56 108  98  12 112
91   0 189  65  79 232
12   0   0   5   1  71
 2  32  23  58   8 208
 4  23   2   1   3   9
"""


def test_a_convolution_by_hand() -> None:
    rows = [[float(number) for number in line.split()] for line in IMAGE.strip().split("\n")]
    found = Interpreter(layers('filter "0 1 1 / 1 0 0 / 1 0 1"', input="1x6x6"))
    result = found(torch.tensor([[rows]]))
    assert result.shape == (1, 1, 4, 4)
    assert result[0, 0, 0, :2].tolist() == [2 + 209 + 24 + 91 + 189, 209 + 44 + 56 + 0 + 65]
    assert result[0, 0, 0, :2].tolist() == [515, 374]


def gradient(pool: str) -> torch.Tensor:
    """Of the one number that leaves, by the four that arrive: 1, -4, 2, 3."""
    image = torch.tensor([[[[1.0, -4.0], [2.0, 3.0]]]], requires_grad=True, dtype=torch.float64)
    Interpreter(layers(f"pool {pool}", input="1x2x2"))(image).sum().backward()
    assert image.grad is not None
    return image.grad.flatten()


def test_the_gradient_of_a_maximum_is_1_there_and_0_elsewhere() -> None:
    assert gradient("max 2x2").tolist() == [0, 0, 0, 1]


def test_the_gradient_of_a_mean_is_the_same_everywhere() -> None:
    assert gradient("avg 2x2").tolist() == [1 / 4] * 4


@pytest.mark.parametrize(("pool", "p"), [("l2 2x2", 2), ("lp 2x2 p=3", 3), ("lp 2x2 p=1.5", 1.5)])
def test_the_gradient_of_a_norm(pool: str, p: float) -> None:
    """(sum of |x|^p)^(1/p - 1) |x|^(p - 1) sign(x)."""
    x = torch.tensor([1.0, -4.0, 2.0, 3.0], dtype=torch.float64)
    total = (x.abs() ** p).sum()
    torch.testing.assert_close(gradient(pool), total ** (1 / p - 1) * x.abs() ** (p - 1) * x.sign())
