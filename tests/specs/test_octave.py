"""Octave convolution (Chen et al., 2019) against the paper's formula and figures."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dotcnn
from dotcnn.training.inference.load import construct
from networks import network

LAYER = """
import "octave/octave_resnet50.cnn"
network Layer {
  input 3x16x16
  conv 6 1x1
  high: relu
  conv 2 2x2 stride=2
  low: relu
  from [high, low]
  layer: octave [4, 5] 3 STRIDE
  output first { from layer[0], sigmoid }
  output second { from layer[1], sigmoid }
}
"""


@pytest.mark.parametrize("stride", [1, 2])
def test_four_convolutions(stride: int) -> None:
    """Within each resolution, and between them: after pooling downwards, before scaling upwards."""
    built = network(LAYER.replace("STRIDE", str(stride)))
    model = construct(dotcnn.emit(built), "Layer").double().eval()
    assert isinstance(model, nn.Module)
    weights = {
        name.removesuffix(".conv.weight"): value
        for name, value in model.named_parameters()
        if name.startswith("layer")
    }

    def through(out: int, source: int, x: Tensor) -> Tensor:
        return F.conv2d(x, weights[f"layer.blocks.{out}.blocks.{source}"], padding=1)

    def pooled(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 2)

    def scaled(x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2.0)

    x = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    with torch.no_grad():
        high = F.relu(model.conv1(x))  # type: ignore[operator]
        low = F.relu(model.conv2(high))  # type: ignore[operator]
        if stride == 1:
            wanted = through(0, 0, high) + scaled(through(0, 1, low))
        else:
            wanted = through(0, 0, pooled(high)) + through(0, 1, low)
            high, low = pooled(high), pooled(low)
        below = through(1, 0, pooled(high)) + through(1, 1, low)
        norm = (1 + 1e-5) ** -0.5
        first, second = model(x)  # the logits
    assert torch.allclose(first, wanted * norm, atol=1e-12)
    assert torch.allclose(second, below * norm, atol=1e-12)


@pytest.mark.parametrize(("alpha", "billions"), [(0.125, 3.6), (0.25, 3.1), (0.5, 2.4)])
def test_the_figures_of_the_paper(alpha: float, billions: float) -> None:
    """As many weights as ResNet-50, and the multiply-adds of its table 2."""
    built = dotcnn.compile("octave_resnet50", parameters={"alpha": alpha})
    totals = dotcnn.report(built)["totals"]
    assert totals["params"] == 25_557_032
    assert round(totals["macs"] / 1e9, 1) == billions
