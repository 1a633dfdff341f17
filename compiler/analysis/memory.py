"""How much memory a network needs, and how large a batch fits.

Counted are numbers, not pages: what an allocator rounds up, memory that lies in pieces, and what
cuDNN, oneDNN or the driver take for themselves is not in the figures (see `EXCLUDED`).
"""

from __future__ import annotations

from functools import cached_property

from ..network import Network
from .kept import kept
from .peak import Bytes, Peak
from .setting import Setting
from .step import forward_peak, trained_bytes, training_peak, weight_bytes

EXCLUDED = (
    "workspace of cuDNN or oneDNN (on a CPU it grows with the threads), the allocator's rounding,"
    " the driver's own memory"
)


class Memory:
    """The memory of a network in one setting, for every batch."""

    def __init__(self, network: Network, setting: Setting = Setting()) -> None:  # noqa: B008
        self.network = network
        self.setting = setting

    excluded = EXCLUDED

    @cached_property
    def weights(self) -> int:
        """Bytes of weights and buffers, without those of auxiliary heads."""
        return sum(weight_bytes(node) for node in self.network.nodes if not node.aux)

    @cached_property
    def gradients(self) -> int:
        """Bytes of the weights' gradients, of auxiliary heads too."""
        return sum(trained_bytes(node, self.setting) for node in self.network.nodes)

    @cached_property
    def kept(self) -> Bytes:
        """What autograd keeps for the backward pass, the loss included."""
        return kept(self.network, self.setting)

    @cached_property
    def forward(self) -> Peak:
        """In evaluation: weights, images, and what is in use between operations."""
        return forward_peak(self.network, self.setting)

    @cached_property
    def training(self) -> Peak:
        """In a training step: weights, their gradients, optimizer state, images, what is
        kept, and the gradients on their way."""
        return training_peak(self.network, self.setting)

    def fit(self, limit: int) -> int:
        """The largest batch that can be trained on in so many bytes; 0 if not even one image."""
        return self.training.fit(limit)
