"""`dotcnn.export`: what is in the file computes what the module does, or there is no file."""

from __future__ import annotations

import torch
from torch import Tensor

import dotcnn
from dotcnn.compiler.graph import Network

SPEC = """
block unit(width) { conv width 3x3 same, bn, relu }

network Small {
  input 3x12x12
  unit 8
  residual {
    depthwise 3x3 same, bn, relu6
    conv 8 groups=2, bn
  }
  a: conv 8
  bn
  side: aux { pool avg global, flatten, fc 5 }
  deconv 12 2x2 stride=2 groups=2, bn
  filter blur same, bn
  separable 8 3x3 same, bn, relu
  pool lp 3x3 p=3 stride=2 ceil
  add a
  spp 4 2 1
  fc 16, bn, relu
  fc 5, softmax
}
"""
FOLDABLE = 6
"""Its norms behind layers that can take them up: all but those behind a relu and a filter."""


def trained(spec: str | Network) -> dict[str, Tensor]:
    """Weights as they may be after training: norms have seen something."""
    random = torch.Generator().manual_seed(7)
    module = dotcnn.load(spec)
    state = module.state_dict()
    for key, tensor in state.items():
        if key.endswith("running_var"):
            tensor.copy_(torch.rand(tensor.shape, generator=random) + 0.5)
        elif tensor.is_floating_point():
            tensor += 0.1 * torch.randn(tensor.shape, generator=random)
    return state
