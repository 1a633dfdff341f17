"""Some of the outputs of a network, as a module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn


class Chosen(nn.Module):
    """A network that returns some of its outputs; one of them alone."""

    def __init__(self, network: nn.Module, places: Sequence[int]) -> None:
        super().__init__()
        self.network = network
        self.places = tuple(places)

    def forward(self, images: Tensor) -> Any:
        outputs = self.network(images)
        chosen = tuple(outputs[place] for place in self.places)
        return chosen if len(chosen) > 1 else chosen[0]
