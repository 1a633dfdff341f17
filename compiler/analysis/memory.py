"""The memory that a network needs, and the largest batch that fits.

Tensors are counted, and on a GPU also what torch's allocator and CUDA take (`on_gpu`). Workspace of
cuDNN and oneDNN is not included (see `excluded`).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ..network import Network
from .gpu import WORKSPACE, largest_batch, outside_torch, resident
from .kept import kept
from .peak import Bytes, Event, Peak
from .setting import Setting
from .step import forward_peak, training_step
from .weight_bytes import trained_bytes, weight_bytes

if TYPE_CHECKING:
    from .caching_allocator import Usage

EXCLUDED = (
    "workspace of cuDNN or oneDNN (on a CPU it grows with the threads), the allocator's rounding,"
    " the driver's own memory"
)
EXCLUDED_ON_GPU = "workspace of cuDNN, memory of augmentation, other programs and the display"


class OnGpu(NamedTuple):
    """The memory of a training step on a GPU."""

    tensors: int
    """Bytes of the tensors in use at the peak."""
    allocated: int
    """The same as torch's allocator rounds them, with cuBLAS's workspace."""
    reserved: int
    """What the allocator takes from the GPU for them."""
    outside: int
    """Of CUDA's context and NCCL, an assumption."""

    @property
    def needed(self) -> int:
        """What the GPU must have."""
        return self.allocated + self.outside

    @property
    def wanted(self) -> int:
        """What is taken from a GPU that has more."""
        return self.reserved + self.outside


class Memory:
    """The memory of a network in one setting, for every batch size."""

    def __init__(self, network: Network, setting: Setting = Setting()) -> None:  # noqa: B008
        self.network = network
        self.setting = setting

    @property
    def excluded(self) -> str:
        """What the figures leave out."""
        return EXCLUDED_ON_GPU if self.setting.device == "cuda" else EXCLUDED

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
        return training_step(self.network, self.setting).peak

    def needed(self, batch: int) -> int:
        """The bytes that a training step needs; on a GPU, with those of CUDA itself."""
        if self.setting.device == "cuda":
            return self.on_gpu(batch).needed
        return self.training.at(batch)

    def fit(self, limit: int) -> int:
        """The largest batch that can be trained in this many bytes; 0 if none fits."""
        if self.setting.device != "cuda":
            return self.training.fit(limit)
        most = min(self.training.fit(limit - self.outside), self.largest_batch)
        if most < 1 or self._runs(most, limit):
            return max(most, 0)
        least = 0
        while most - least > 1:
            middle = (least + most) // 2
            if self._runs(middle, limit):
                least = middle
            else:
                most = middle
        return least

    # ---- on a GPU ----

    def on_gpu(self, batch: int) -> OnGpu:
        usage = self._simulated(batch)
        return OnGpu(self.training.at(batch), usage.allocated, usage.reserved, self.outside)

    @property
    def outside(self) -> int:
        """Bytes of the GPU that are not torch's: those of CUDA's context and NCCL."""
        return outside_torch(self.setting)

    @cached_property
    def largest_batch(self) -> int:
        """The largest batch whose feature maps torch can index."""
        return largest_batch(self.network)

    @cached_property
    def _events(self) -> list[Event]:
        """The tensors of a step. Only a simulation of the allocator needs them."""
        return training_step(self.network, self.setting, record=True).events

    @cached_property
    def _resident(self) -> list[Bytes]:
        return [*resident(self.network, self.setting), *WORKSPACE]

    def _simulated(self, batch: int, limit: int | None = None) -> Usage:
        from .caching_allocator import simulate

        return simulate(self._resident, self._events, batch, limit)

    def _runs(self, batch: int, limit: int) -> bool:
        """Whether the allocator finds room for a step within this many bytes of the GPU."""
        from .caching_allocator import OutOfMemory

        try:
            self._simulated(batch, limit - self.outside)
        except OutOfMemory:
            return False
        return True
