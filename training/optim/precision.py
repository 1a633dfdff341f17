"""Numeric precision and memory format of a run: fp32, bf16 or fp16, channels_last or not."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Precision(NamedTuple):
    """Precision and memory format; choose_precision.py decides which."""

    dtype: torch.dtype | None = None
    """The dtype of autocast; None for float32 throughout."""
    channels_last: bool = False
    """The memory format torch.channels_last."""

    @property
    def word(self) -> str:
        return {torch.bfloat16: "bf16", torch.float16: "fp16"}.get(self.dtype, "fp32")  # type: ignore[arg-type]

    @staticmethod
    def of(word: str, channels_last: bool) -> Precision:
        return Precision({"bf16": torch.bfloat16, "fp16": torch.float16}.get(word), channels_last)

    def autocast(self, device: torch.device) -> torch.autocast | None:
        """The autocast context; None for float32."""
        return torch.autocast(device.type, self.dtype) if self.dtype is not None else None

    def laid_out(self, images: Tensor) -> Tensor:
        """Images in the memory format of the network; cheapest while they are bytes."""
        if self.channels_last:
            return images.contiguous(memory_format=torch.channels_last)
        return images

    def lay_out(self, module: nn.Module) -> None:
        """Puts the weights into the same memory format."""
        if self.channels_last:
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


FULL = Precision()
