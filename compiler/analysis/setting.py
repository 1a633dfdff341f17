"""Settings of the memory analysis: batch, precision, optimizer, device."""

from __future__ import annotations

from typing import Literal, NamedTuple

Precision = Literal["fp32", "bf16", "fp16"]
Device = Literal["cpu", "cuda"]


class OptimizerMemory(NamedTuple):
    """The memory of an optimizer beside weights and gradients."""

    name: str
    state: int
    """State elements for each weight."""
    scratch: int
    """Copies of a weight that exist while it is updated: on the CPU, where weights are updated one
    after the other, copies of the largest; on a GPU, where torch updates all at once, one copy of
    all.
    """


OPTIMIZERS = {
    optimizer.name: optimizer
    for optimizer in (
        OptimizerMemory("sgd", state=0, scratch=0),
        OptimizerMemory("momentum", state=1, scratch=0),
        OptimizerMemory("rmsprop", state=1, scratch=1),
        OptimizerMemory("adam", state=2, scratch=2),
        OptimizerMemory("adamw", state=2, scratch=2),
    )
}
"""By the name that `--optimizer` takes.

Defined here, and not with the directives of `plan.optimizer`, which refer to it: a report does not
import them.
"""


class Setting(NamedTuple):
    """How a network is trained, as far as its memory depends on it. bf16 and fp16 mean autocast:
    weights, their gradients, statistics and the loss have four bytes per element, activations two,
    and convolutions and linear layers keep two-byte copies of their weights and of the network's
    input. (torch runs a few operations, such as layer norm on a GPU, in fp32: the figure is then
    too low.)
    """

    precision: Precision = "fp32"
    optimizer: OptimizerMemory = OPTIMIZERS["sgd"]
    device: Device = "cpu"
    frozen: frozenset[int] = frozenset()
    """Indices of nodes whose weights are not trained."""
    batch: int = 1
    """Images in a step, where nothing else is asked for."""
    from_train: tuple[str, ...] = ()
    """Which of these the spec's own `train` section says."""

    @property
    def described(self) -> str:
        """`sgd, fp32, cuda`, and what of it the spec says."""
        origin = f" ({', '.join(self.from_train)} from `train`)" if self.from_train else ""
        return f"{self.optimizer.name}, {self.precision}, {self.device}{origin}"

    @property
    def itemsize(self) -> int:
        """Bytes per element of an activation."""
        return 4 if self.precision == "fp32" else 2
