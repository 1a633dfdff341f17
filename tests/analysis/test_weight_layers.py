"""Convolutions and fully connected layers on the longest path, and in all. The names of the
gallery's networks are in specs/test_zoo.py.
"""

from __future__ import annotations

import pytest

from dotcnn.compiler.analysis.weight_layers import weight_layers, weight_layers_of
from networks import layers


@pytest.mark.parametrize(
    ("body", "longest", "all_of_them"),
    [
        ("conv 8 3x3, bn, relu, pool max 2x2, depthwise 3x3, flatten, fc 10", 3, 3),
        ("filter sobel_x, bn, prelu, flatten, fc 10", 1, 1),
        ("pool avg global, flatten", 0, 0),
        # A projection is shorter than the body beside it, and may stand on either side.
        ("residual { conv 8 3x3 same, relu, conv 8 3x3 same }", 2, 3),
        ("residual {\n| conv 8\n| conv 8, relu, conv 8 3x3 same\n}", 2, 3),
        # The longest path of several.
        ("inception {\n| conv 8\n| conv 8, conv 8 3x3 same\n| pool max 3x3 stride=1 same\n}", 2, 3),
        ("conv 8, dense { conv 8, conv 4 3x3 same }, dense { conv 4 }", 4, 4),
        # What only scales a map is not counted, whatever it is written with; also on a 1x1 map.
        ("conv 8, gate { pool avg global, conv 2, relu, conv 8, sigmoid }", 1, 3),
        ("conv 8, gate { conv 1, sigmoid }", 1, 2),
        ("conv 8, pool avg global, gate { conv 2, relu, conv 8, sigmoid }", 1, 3),
        ("a: conv 8\npool avg global, flatten, fc 8, sigmoid\nb: scale_by 2\nmul a b", 1, 2),
        # Both factors of a gated linear unit are maps.
        ("mul {\n| conv 8\n| conv 4, conv 8, sigmoid\n}", 2, 3),
        # Auxiliary heads are for training.
        ("conv 8, aux { pool avg global, flatten, fc 8, fc 10 }, conv 8", 2, 2),
    ],
)
def test_what_is_counted(body: str, longest: int, all_of_them: int) -> None:
    assert weight_layers(layers(body)) == (longest, all_of_them)


def test_of_a_part() -> None:
    found = layers("conv 8, residual { conv 8, relu, conv 8, relu, conv 8 }, conv 4")
    inside = [node for node in found.nodes if node.name in ("conv2", "relu1", "conv3", "add")]
    assert weight_layers_of(inside) == (2, 2)
