"""How exactly is computed, and how images lie in memory: what `precision` comes to on a device."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Precision(NamedTuple):
    """A choice; which one is made is in `precision.py`."""

    dtype: torch.dtype | None = None
    """Of products, under autocast; None for float32 all along."""
    channels_last: bool = False
    """The channels of a place side by side in memory."""

    @property
    def word(self) -> str:
        return {torch.bfloat16: "bf16", torch.float16: "fp16"}.get(self.dtype, "fp32")  # type: ignore[arg-type]

    @staticmethod
    def of(word: str, channels_last: bool) -> Precision:
        return Precision({"bf16": torch.bfloat16, "fp16": torch.float16}.get(word), channels_last)

    def autocast(self, device: torch.device) -> torch.autocast | None:
        """What products are computed under; None where they need nothing."""
        return torch.autocast(device.type, self.dtype) if self.dtype is not None else None

    def laid_out(self, images: Tensor) -> Tensor:
        """Images as the network wants them in memory; while they are bytes, that is cheapest."""
        if self.channels_last:
            return images.contiguous(memory_format=torch.channels_last)
        return images

    def lay_out(self, module: nn.Module) -> None:
        """The weights, too."""
        if self.channels_last:
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


FULL = Precision()
