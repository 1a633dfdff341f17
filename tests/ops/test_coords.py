"""`coords`: positions as channels."""

from __future__ import annotations

import pytest
import torch

from dotcnn.compiler.ops.coords import Coords
from ops.conformance import build, conform, refuses


def test_positions_from_minus_one_to_one() -> None:
    x = torch.full((2, 1, 3, 2), 7.0)
    y = build(Coords(radius=True), (1, 3, 2)).forward(x)
    assert y[:, 0].eq(7).all()
    assert y[1, 1].tolist() == [[-1, -1], [0, 0], [1, 1]]
    assert y[1, 2].tolist() == [[-1, 1]] * 3
    assert y[1, 3, :, 0].tolist() == pytest.approx([2**0.5, 1, 2**0.5])


def test_a_single_row_is_in_the_middle() -> None:
    assert build(Coords(), (1, 1, 1)).forward(torch.ones(1, 1, 1, 1)).flatten().tolist() == [
        1,
        0,
        0,
    ]


@pytest.mark.parametrize("radius", [False, True])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (2, 3, 2, 2)])
def test_it_is_what_torch_computes(shape: tuple[int, ...], radius: bool) -> None:
    conform(Coords(radius=radius), shape)


def test_only_maps_have_places() -> None:
    assert "coords" in refuses(Coords(), (8,))
