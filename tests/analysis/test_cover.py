"""How many layers it takes until an output sees so many pixels, against the fields of specs."""

from __future__ import annotations

import pytest

from dotcnn.compiler.analysis.cover import Stack, convs_alone, convs_and_pools
from dotcnn.compiler.analysis.field import fields
from networks import layers


def test_the_figures_of_the_course() -> None:
    """3x3 filters: 500 layers until an output sees 1,000 pixels; with pools, nine and eight."""
    assert convs_alone(1000, 3) == Stack(500, 0, 1001)
    assert convs_and_pools(1000, 3) == Stack(9, 8, 1278)


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("pixels", [2, 9, 50])
def test_a_network_of_so_many_layers_sees_as_much(kernel: int, dilation: int, pixels: int) -> None:
    conv = f"conv 4 {kernel}x{kernel} dilation={dilation} same"
    for stack, body in (
        (convs_alone(pixels, kernel, dilation), f"repeat {{}} {{{{ {conv} }}}}"),
        (
            convs_and_pools(pixels, kernel, dilation),
            f"{conv}\nrepeat {{}} {{{{ pool max 2x2, {conv} }}}}",
        ),
    ):
        assert stack is not None
        count = stack.pools if stack.pools else stack.convs
        text = body.format(count) if stack.pools or "pool" not in body else conv
        network = layers(text, "3x256x256")
        assert fields(network)[network.output.index].size == (stack.sees, stack.sees)
        assert stack.sees >= pixels


def test_one_layer_fewer_is_not_enough() -> None:
    for pixels in range(2, 300):
        one, two = convs_alone(pixels, 3), convs_and_pools(pixels, 3)
        assert one is not None
        assert two is not None
        assert one.sees - 2 < pixels
        shorter = convs_and_pools(two.sees - 1, 3)
        assert shorter is not None
        assert shorter.convs == two.convs


def test_1x1_filters_never_see_more() -> None:
    assert convs_alone(5, 1) is None
    assert convs_alone(1, 1) == Stack(0, 0, 1)
