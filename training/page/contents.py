"""The data of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ...compiler.network import Network
from ..data.open import Opened
from ..metrics.outcome import Outcome
from ..trainer.callbacks import EpochRecord


@dataclass(frozen=True, eq=False)
class Contents:
    """A trained network and everything the page shows of it."""

    network: Network
    module: nn.Module
    outcome: Outcome
    data: Opened
    epochs: Sequence[EpochRecord]
    record: Mapping[str, Any]
    transfer: str = ""
    """transfer.txt; empty without transfer learning."""

    @property
    def classes(self) -> tuple[str, ...]:
        return self.data.dataset.classes

    @property
    def multi_label(self) -> bool:
        """An image may be of several classes at once."""
        return self.outcome.labels.ndim == 2

    @property
    def device(self) -> torch.device:
        """Where the module is."""
        return next((p.device for p in self.module.parameters()), torch.device("cpu"))

    @cached_property
    def taken_for(self) -> Tensor:
        """The class with the highest probability."""
        return self.outcome.probabilities.argmax(1)

    @cached_property
    def wrong(self) -> list[int]:
        """Misclassified images, the most confident first."""
        if self.multi_label:
            return []
        sure = self.outcome.probabilities.amax(1)
        places = (self.taken_for != self.outcome.labels).nonzero().flatten()
        order = sure[places].argsort(descending=True, stable=True)
        return [int(place) for place in places[order]]

    def image(self, index: int) -> Tensor:
        """uint8, as the network saw it."""
        return self.data.image(self.outcome.part, index)

    def name(self, index: int) -> str:
        return self.data.name(self.outcome.part, index)

    def class_of(self, index: int) -> str:
        return self.classes[int(self.outcome.labels[index])]
