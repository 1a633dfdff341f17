"""`same_upper` of pools: the padding of TensorFlow and ONNX, at every size of the map."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from dotcnn.compiler.ops.pool.basic import Average, Max, Min
from dotcnn.compiler.ops.pool.windows import Adaptive
from ops.conformance import build, conform, refuses

POOLS = [
    Max(kernel=(3, 3), stride=(2, 2), same_upper=True),
    Max(kernel=(2, 2), stride=(1, 1), same_upper=True),
    Max(kernel=(3, 2), stride=(2, 3), same_upper=True),
    Min(kernel=(3, 3), stride=(2, 2), same_upper=True),
    Average(kernel=(3, 3), stride=(2, 2), same_upper=True),
    Average(kernel=(3, 3), stride=(2, 2), same_upper=True, count_pad=False),
    Average(kernel=(3, 3), stride=(1, 1), same_upper=True, count_pad=False),
    Average(kernel=(2, 4), stride=(3, 1), same_upper=True, count_pad=False),
]


@pytest.mark.parametrize("shape", [(2, 7, 8), (2, 6, 6)])
@pytest.mark.parametrize("op", POOLS, ids=str)
def test_any(op: Adaptive, shape: tuple[int, ...]) -> None:
    conform(op, shape, probe=None)
    assert op.output(shape)[1:] == tuple(
        -(-side // step) for side, step in zip(shape[1:], op.step, strict=True)
    )


@pytest.mark.parametrize("axes", [1, 3])
def test_along_other_axes(axes: int) -> None:
    shape = (2, *[5, 4, 6][:axes])
    for op in (Max, Average):
        for count in [{}] if op is Max else [{}, {"count_pad": False}]:
            made = op(kernel=(3,) * axes, stride=(2,) * axes, same_upper=True, **count)
            conform(made, shape, probe=None)


def test_the_odd_row_is_at_the_end() -> None:
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    largest = build(POOLS[0], (1, 4, 4)).forward(image - 20)
    assert torch.equal(largest, F.max_pool2d(image - 20, 3, 2, ceil_mode=True))
    mean = build(POOLS[5], (1, 4, 4)).forward(image)[0, 0]
    assert torch.allclose(mean[1], torch.tensor([11.0, 12.5]))  # of 2x3 and of 2x2
    assert build(POOLS[4], (1, 4, 4)).forward(image)[0, 0, 1, 1].isclose(torch.tensor(50 / 9))


def test_what_is_refused() -> None:
    both = Max(kernel=(3, 3), same=True, same_upper=True)
    refuses(both, (1, 8, 8), match="two ways to pad", stricter=True)
    ceil = Max(kernel=(3, 3), ceil=True, same_upper=True)
    refuses(ceil, (1, 8, 8), match="both set the size", stricter=True)
    padded = Average(kernel=(3, 3), pad=(1, 1), same_upper=True)
    refuses(padded, (1, 8, 8), match="computes the padding", stricter=True)
    dilated = Max(kernel=(3, 3), dilation=(2, 2), same_upper=True)
    refuses(dilated, (1, 8, 8), match="step over the map", stricter=True)
