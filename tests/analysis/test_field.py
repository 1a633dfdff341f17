"""Receptive fields: by hand, as published, and as torch shows them."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import given
from torch import Tensor

from dotcnn.compiler.analysis.field import Field, fields
from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.network import Network, Node
from dotcnn.dsl.diagnostics import SpecError
from interpreter import Interpreter
from networks import gallery, layers, program
from random_networks import specs


def last(network: Network) -> Field:
    return fields(network)[network.output.index]


def sizes(body: str, input: str = "1x64x64") -> list[int]:
    found = fields(layers(body, input))[1:]
    assert all(field[0] == field[1] for field in found)
    return [field[0].size for field in found]


# ---- by hand ------------------------------------------------------------------------------------


def test_filters_one_after_the_other() -> None:
    assert sizes("conv 1 5x5, conv 1 5x5, conv 1 3x3") == [5, 9, 11]


def test_layers_needed_to_see_all_of_an_image() -> None:
    """3x3 filters see two pixels more each: 500 of them for 1000x1000."""
    network = layers("repeat 500 { conv 1 3x3 same }", input="1x1000x1000")
    assert [field[0].size for field in fields(network)] == [2 * x + 1 for x in range(501)]
    assert last(network)[0].size > 1000 > fields(network)[499][0].size


def test_with_a_pool_after_each_eight_layers_see_it_all() -> None:
    network = layers("repeat 8 { conv 1 3x3 same, pool max 2x2 }", input="1x1000x1000")
    assert network.output.shape == (1, 3, 3)
    assert last(network).jump == (256, 256)
    low, high = last(network)[0].extent()
    assert low <= 0
    assert high >= 3 * 256 - 1


def test_stride_pad_and_dilation() -> None:
    found = fields(layers("conv 1 3x3 stride=2 pad=1, conv 1 3x3 dilation=2, pool max 2x2"))
    assert [field.size for field in found[1:]] == [(3, 3), (11, 11), (13, 13)]
    assert [field.jump for field in found[1:]] == [(2, 2), (2, 2), (4, 4)]
    assert [field.start for field in found[1:]] == [(-1, -1), (-1, -1), (-1, -1)]


def test_height_and_width_are_told_apart() -> None:
    found = last(layers("conv 1 3x1, conv 1 1x5 stride=(1, 2), conv 1 3x3"))
    assert found.size == (5, 9)
    assert found.jump == (1, 2)


def test_a_position_sees_from_here_to_there() -> None:
    axis = last(layers("conv 1 3x3 pad=1, pool max 2x2"))[0]
    assert [axis.at(n) for n in (0, 1, 15)] == [(-1, 2), (1, 4), (29, 32)]


def test_paths_side_by_side_are_seen_together() -> None:
    """The union: a 1x1, a 3x3, and a 5x5 that is padded at one end only."""
    network = layers("inception {\n| conv 1\n| conv 1 3x3 same\n| conv 1 4x4 same_upper\n}")
    assert last(network).start == (-1, -1)
    assert last(network).size == (4, 4)  # from -1 to 1, and from -1 to 2


def test_a_residual_sees_what_its_body_sees() -> None:
    assert last(layers("residual { conv 3 3x3 same, conv 3 3x3 same }")).size == (5, 5)


def test_a_global_pool_sees_everything_that_was_seen_before() -> None:
    found = last(layers("conv 1 3x3 same, pool max 2x2, pool avg global"))
    assert found.whole
    assert found[0].extent() == (-1, 32)
    assert found.size == (34, 34)  # 15 steps of 2, and the 4 of the last


def test_a_fully_connected_layer_sees_everything() -> None:
    found = fields(layers("conv 1 5x5, flatten, fc 3, relu, fc 2", input="1x32x32"))
    assert [field[0].size for field in found] == [1, 5, 5, 32, 32, 32]
    assert [field.whole for field in found] == [False, False, False, True, True, True]


def test_a_gate_makes_every_place_see_everything_and_leaves_the_jump() -> None:
    body = "conv 3 3x3 stride=2 pad=1, gate {{ pool avg global, conv channels, sigmoid }}{more}"
    found = last(layers(body.format(more="")))
    assert found.whole
    assert found.size == (33, 33)  # -1 to 31
    assert found.jump == (2, 2)
    assert last(layers(body.format(more=", conv 3 3x3 stride=2 pad=1"))).jump == (4, 4)


def test_upsampling_makes_places_that_see_alike() -> None:
    axis = last(layers("pool max 2x2, upsample 2"))[0]
    assert axis.jump == 1
    assert [axis.at(n) for n in range(4)] == [(0, 1), (0, 1), (2, 3), (2, 3)]
    assert axis.size == 2


def test_upsampling_of_the_input_has_half_a_step() -> None:
    axis = last(layers("upsample 2, conv 1 2x2"))[0]
    assert axis.jump == Fraction(1, 2)
    assert [axis.at(n) for n in range(4)] == [(0, 0), (0, 1), (1, 1), (1, 2)]
    assert axis.size == 2


def test_a_u_net_joins_fine_and_coarse() -> None:
    network = layers("dense { pool max 2x2, conv 4 3x3 same, upsample 2 }, conv 1 3x3 same")
    axis = last(network)[0]
    # At place 10, the middle of three: 9 and 10 lie in the 4th and 5th coarse place, 11 in the 5th.
    assert axis.at(10) == (6, 13)
    assert axis.jump == 1


def test_strides_that_differ_are_held_together() -> None:
    """One path in steps of 2, one in steps of 1 (a wide filter): what is stated covers both."""
    found = fields(layers("add {\n| conv 1 2x2 stride=2\n| conv 1 17x17\n}", input="1x32x32"))
    merged, (two, one) = found[-1][0], (found[1][0], found[2][0])
    assert merged.jump == 2
    for place in range(16):
        low, high = merged.at(place)
        assert low <= min(two.at(place)[0], one.at(place)[0])
        assert high >= max(two.at(place)[1], one.at(place)[1])
    assert merged.at(15)[0] == 15  # nothing to spare: where the narrow one begins


def test_a_period_beyond_all_bounds_is_all_of_it() -> None:
    found = last(layers("upsample 2, upsample 101", input="1x4x4"))
    assert found.whole
    assert found[0].extent() == (0, 3)


# ---- as published (Araujo, Norris and Sim, "Computing Receptive Fields of CNNs", 2019) ----------


def before_the_head(network: Network) -> Field:
    return max((field for field in fields(network) if not field.whole), key=lambda f: f.size)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("alexnet/alexnet", 195),
        ("vgg/vgg16", 212),
        ("resnet/resnet18", 435),
        ("resnet/resnet50", 427),
    ],
)
def test_published_sizes(name: str, size: int) -> None:
    found = before_the_head(gallery(name))
    assert found.size == (size, size)
    assert found.jump == (32, 32)


def test_published_size_of_resnet_50_with_its_stride_in_the_first_convolution() -> None:
    """As in the paper: each 3x3 then looks at the smaller map."""
    network = layers(
        """
        conv 64 7x7 stride=2 same, bn, relu, pool max 3x3 stride=2 same
        for width, depth, stride in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)] {
          bottleneck width stride
          repeat depth - 1 { bottleneck width 1 }
        }
        pool avg global, flatten, fc 1000""",
        input="3x224x224",
        blocks="""
        block bottleneck(width, stride) {
          residual {
            conv width 1x1 stride=stride, bn, relu
            conv width 3x3 same, bn, relu
            conv 4*width 1x1, bn
          }
          relu
        }""",
    )
    assert before_the_head(network).size == (483, 483)


# ---- as torch shows them ------------------------------------------------------------------------

SIDE = 16


@pytest.mark.slow
@given(specs(SIDE))
def test_nothing_else_is_seen_and_inside_exactly_that(text: str) -> None:
    """Each row (and column) of the input in turn becomes nan; wherever that arrives, it is seen.

    Of a window that reaches over an edge, less may be seen: the padding shows nothing. So may it
    of some channels (`split`); a receptive field is that of all of them.
    """
    try:
        network = elaborate(program(text))
    except SpecError:
        return
    found = fields(network)
    for node, value in _spoiled(network):
        if len(node.shape) != 3:
            continue
        for axis in (0, 1):
            seen = value[axis * SIDE : (axis + 1) * SIDE].isnan().any(1).any(2 - axis)
            places = node.shape[1 + axis]
            for place in range(places):
                rows = seen[:, place].nonzero().flatten().tolist()
                what = f"{node}, place {place} of {places}: {found[node.index][axis]}, seen {rows}"
                first, last = found[node.index][axis].at(place)
                inside = max(first, 0), min(last, SIDE - 1)
                if rows:
                    assert inside[0] <= rows[0] <= rows[-1] <= inside[1], what
                if place == places // 2 and inside == (first, last) and "split" not in text:
                    assert rows[:1] + rows[-1:] == [first, last], what


def _spoiled(network: Network) -> list[tuple[Node, Tensor]]:
    model = Interpreter(network).eval()
    images = torch.rand(1, *network.input.shape).repeat(2 * SIDE, 1, 1, 1)
    for n in range(SIDE):
        images[n, :, n, :] = torch.nan
        images[SIDE + n, :, :, n] = torch.nan
    values = {0: images}
    with torch.no_grad():
        for node in network.nodes[1:]:
            inputs = [values[source.index].clone() for source in node.inputs]
            values[node.index] = model.calls[node.index](*inputs)
    return [(node, values[node.index]) for node in network.nodes[1:]]
