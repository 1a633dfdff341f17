"""The memory that a network needs, and the largest batch that fits. Tensors are counted, not pages:
the allocator's rounding, fragmentation, and the workspace of cuDNN, oneDNN or the driver are not
included (see `EXCLUDED`).
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
    """The memory of a network in one setting, for every batch size."""

    def __init__(self, network: Network, setting: Setting = Setting()) -> None:  # noqa: B008
        self.network = network
        self.setting = setting

    excluded = EXCLUDED

    @cached_property
    def weights(self) -> int:
        """Bytes of weights and buffers, without auxiliary heads."""
        return sum(weight_bytes(node) for node in self.network.nodes if not node.aux)

    @cached_property
    def gradients(self) -> int:
        """Bytes of the weights' gradients, with auxiliary heads."""
        return sum(trained_bytes(node, self.setting) for node in self.network.nodes)

    @cached_property
    def kept(self) -> Bytes:
        """The memory that autograd keeps for the backward pass, the loss included."""
        return kept(self.network, self.setting)

    @cached_property
    def forward(self) -> Peak:
        """Peak memory in evaluation: weights, images, and tensors in use between operations."""
        return forward_peak(self.network, self.setting)

    @cached_property
    def training(self) -> Peak:
        """Peak memory of a training step: weights, their gradients, optimizer state, images, kept
        activations, and their gradients.
        """
        return training_peak(self.network, self.setting)

    def fit(self, limit: int) -> int:
        """The largest batch that can be trained in this many bytes; 0 if none fits."""
        return self.training.fit(limit)
