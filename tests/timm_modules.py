"""timm's modules as the gallery's networks are compared with them: for small images, with weights
as if trained. Nothing needs timm; who calls these has looked whether it is installed.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from timm_names import timm

SIDES = {
    "inception_v4": 107,
    "inception_resnet_v2": 107,
    "botnet26t_256": 256,
    "bat_resnext26ts": 256,
    "nasnetalarge": 75,
    "pnasnet5large": 82,
    "inception_v3": 299,
}
"""Of the square images that outputs are compared for, where 64 is too small."""

SIZED = ("coat", "lambda_resnet26rpt", "maxvit", "maxxvit", "test_coat", "test_maxvit")
"""Beginnings of the names of networks that are made for one size; they are made for 96 here."""


def small_module(name: str) -> tuple[nn.Module, tuple[int, int, int]]:
    """The module of a name, in double precision and as if trained, and the shape of its images."""
    options: dict[str, Any] = {"img_size": 96} if name.startswith(SIZED) else {}
    side = options.get("img_size", 256 if "halo" in name else SIDES.get(name, 64))
    shape = (3, side, side)
    torch.manual_seed(0)
    return as_if_trained(timm().create_model(name, **options).double(), shape), shape


def as_if_trained(model: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """With random weights, and norms that keep about what arrives there, no two channels alike."""
    for name, weight in model.named_parameters():
        if weight.dim() > 1 and weight[0].numel() > 1:
            bound = (6 / weight[0].numel()) ** 0.5
            weight.uniform_(-bound, bound)
        elif name.endswith("bias"):
            weight.uniform_(-0.2, 0.2)
        else:
            weight.uniform_(0.5, 1.2)
    for module in model.modules():
        if isinstance(getattr(module, "p", None), float):
            module.p = 0.0  # type: ignore[assignment]
        if isinstance(getattr(module, "drop_prob", None), float):
            module.drop_prob = 0.0  # type: ignore[assignment]
    norms = [inner for inner in model.modules() if isinstance(inner, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    model.train()(torch.randn(4, *shape, dtype=torch.float64))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        mean, variance = norm.running_mean, norm.running_var
        assert isinstance(mean, Tensor)
        assert isinstance(variance, Tensor)
        variance.copy_(variance.mean() * torch.empty_like(variance).uniform_(1, 3))
        mean += variance.sqrt() * torch.randn_like(mean) / 10
    return model.eval()
