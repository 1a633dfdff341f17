"""Synchronized batch norm (`sync_bn`): its statistics are those of all processes together.

On GPUs, torch's own implementation is used; torch has none for CPUs, so it is implemented here. So
is that of other layers with statistics of the batch (`evonorm_b0`), which compute them in a method
`over_batch`.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def synchronized(module: nn.Module, device: torch.device) -> nn.Module:
    """The module with its batch norms replaced; weights and their names do not change."""
    for part in module.modules():
        kind = type(part)
        if hasattr(kind, "over_batch"):
            part.__class__ = type(f"Synchronized{kind.__name__}", (OverAllBatches, kind), {})
    if device.type == "cuda":
        for part in module.modules():
            scale = part._buffers.pop("weight", None) if isinstance(part, _BatchNorm) else None
            if scale is not None:  # `bn affine=bias`; torch converts parameters only
                part.register_parameter("weight", nn.Parameter(scale, requires_grad=False))
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        for part in converted.modules():
            if type(part) is nn.SyncBatchNorm:
                part.__class__ = SynchronizedOnGpu
        return converted
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.__class__ = Synchronized
    return module


class Shares(Enum):
    """Whether the images of this process belong to the batch."""

    ALL = "those of all processes do"
    OWN = "these do, but not those of some other processes"
    NONE = "they stand for a share without images"


def set_shares(module: nn.Module, shares: Shares) -> None:
    """Tells synchronized layers about the next batch."""
    for part in module.modules():
        if isinstance(part, _OverProcesses) and part.shares is not shares:
            part.shares = shares


class _OverProcesses(nn.Module):
    """A layer with statistics of the batch, which are those of all processes."""

    shares = Shares.ALL

    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Over all processes, for each channel: how many numbers there are, their mean, the
        differences from it, and the variance."""
        counts = float(self.shares is not Shares.NONE)
        over = [axis for axis in range(x.ndim) if axis != 1]
        values = x if x.dtype == torch.float64 else x.float()  # sums need all digits
        count = _summed(values.new_tensor(counts * (x.numel() // x.shape[1])))
        mean = _summed(counts * values.sum(over)) / count
        centered = values - mean.view(1, -1, *[1] * (x.ndim - 2))
        variance = _summed(counts * centered.square().sum(over)) / count
        return count, mean, centered, variance


class Synchronized(_OverProcesses, _BatchNorm):
    """A batch norm whose mean and variance are those of the batches of all processes."""

    def _check_input_dim(self, input: Tensor) -> None:
        return

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        count, mean, centered, variance = self.statistics(input)
        if count == 1:
            raise ValueError("Expected more than 1 value per channel when training")  # as torch
        self._update_running(mean.detach(), variance.detach() * count / (count - 1))
        each = [1, -1, *[1] * (input.ndim - 2)]
        output = centered * (variance + self.eps).rsqrt().view(each)
        if self.affine:
            output = output * self.weight.view(each) + self.bias.view(each)
        return output.to(input.dtype)

    @torch.no_grad()
    def _update_running(self, mean: Tensor, variance: Tensor) -> None:
        """Updates the running statistics as torch does, with the unbiased variance."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        share = self.momentum
        if share is None:
            share = 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean.to(self.running_mean), share)
        self.running_var.lerp_(variance.to(self.running_var), share)


class SynchronizedOnGpu(Synchronized, nn.SyncBatchNorm):
    """The same by torch's own kernels, which count the images of every process: where a share has
    none, all processes compute it as on CPUs."""

    def forward(self, input: Tensor) -> Tensor:
        if self.shares is Shares.ALL:
            return nn.SyncBatchNorm.forward(self, input)
        return super().forward(input)


class OverAllBatches(_OverProcesses):
    """A layer that reads the variance of the batches of all processes."""

    def over_batch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The variance, and the factor that makes it unbiased."""
        count, _, _, variance = self.statistics(x)
        variance = variance.view(-1, *[1] * (x.ndim - 2)).to(x.dtype)
        return variance, count / (count - 1).clamp(min=1)


class _Sum(torch.autograd.Function):
    """The sum over all processes; its gradients are summed in the same way."""

    @staticmethod
    def forward(context: Any, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def _summed(value: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(value)  # type: ignore[no-untyped-call]
    return total
