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
    """Copies of a weight that exist while it is updated on the CPU, where weights are updated one
    after the other: copies of the largest.
    """
    gpu_scratch: int = 0
    """Copies of all weights that exist while they are updated on a GPU: none where torch has a
    fused implementation.
    """
    counts_steps: bool = False
    """Whether there is a number for each weight on the GPU, the steps so far."""
    orthogonalizes: bool = False
    """Whether hidden layers are trained by Muon: all else here is then that of the other weights.
    """


OPTIMIZERS = {
    optimizer.name: optimizer
    for optimizer in (
        OptimizerMemory("sgd", state=0, scratch=0),
        OptimizerMemory("momentum", state=1, scratch=0),
        OptimizerMemory("rmsprop", state=1, scratch=1, gpu_scratch=1),
        OptimizerMemory("adam", state=2, scratch=2, counts_steps=True),
        OptimizerMemory("adamw", state=2, scratch=2, counts_steps=True),
        OptimizerMemory("muon", state=2, scratch=2, gpu_scratch=1, orthogonalizes=True),
    )
}
"""By the name that `--optimizer` takes.

Defined here, and not with the directives of `plan.optimizer`, which refer to it: a report does not
import them.
"""


LABELS = 3 * 8
"""Bytes for each image of the data set beside its pixels: its label, and of the current epoch its
index and label in their order.
"""


class Setting(NamedTuple):
    """How a network is trained, as far as its memory depends on it. bf16 and fp16 mean autocast:
    weights, their gradients, statistics and the loss have four bytes per element, activations two
    (not all of them: autocast.py), and convolutions and linear layers keep two-byte copies
    of their weights and of the network's input. What follows `from_train` counts on a GPU only.
    """

    precision: Precision = "fp32"
    optimizer: OptimizerMemory = OPTIMIZERS["sgd"]
    device: Device = "cpu"
    frozen: frozenset[int] = frozenset()
    """Indices of nodes whose weights are not trained."""
    recompute: tuple[frozenset[int], ...] = ()
    """Indices of nodes, part by part, whose activations are computed again in the backward pass."""
    batch: int = 1
    """Images in a step."""
    from_train: tuple[str, ...] = ()
    """Which of these the spec's own `train` section says."""
    ema: bool = False
    """Whether there is a copy with averaged weights."""
    lookahead: bool = False
    """Whether there is a copy with slow weights."""
    anchor: bool = False
    """Whether L2-SP keeps a copy of the weights as they were at the start."""
    accumulate: int = 1
    """Batches whose gradients are added up for a step."""
    processes: int = 1
    """GPUs that train together, each with `batch` images."""
    data: int = 0
    """Bytes of the data set that stay on the GPU."""
    batch_known: bool = False
    """Whether somebody, or the spec, says how large the batch is."""

    @property
    def part_of(self) -> dict[int, int]:
        """By node: the number of its part in `recompute`."""
        return {index: number for number, part in enumerate(self.recompute) for index in part}

    @property
    def described(self) -> str:
        """`sgd, fp32, cuda`, and what of it the spec says."""
        origin = f" ({', '.join(self.from_train)} from `train`)" if self.from_train else ""
        words = [self.optimizer.name, self.precision, self.device]
        if self.device == "cuda":
            words += ["EMA"] if self.ema else []
            words += ["lookahead"] if self.lookahead else []
            words += ["L2-SP"] if self.anchor else []
            words += [f"{self.accumulate} accumulated batches"] if self.accumulate > 1 else []
            words += [f"{self.processes} GPUs"] if self.processes > 1 else []
        return f"{', '.join(words)}{origin}"
