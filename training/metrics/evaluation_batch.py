"""The batch size of validation and evaluation: on a GPU, larger than in training.

Without gradients, most activations are freed as soon as the next layer has read them, so several
times as many images fit into the memory that a training step takes. A GPU is idle less with larger
batches; a CPU gains nothing from them.
"""

from __future__ import annotations

import torch

from ...compiler.analysis.memory import Memory
from ...compiler.analysis.setting import Precision as PrecisionName
from ...compiler.analysis.setting import Setting
from ...compiler.network import Network
from ...compiler.plan.plan import Train
from ..optim.precision import Precision

MOST = 8
"""The largest multiple of the training batch: beyond it, little is gained."""


def evaluation_batch(
    network: Network, train: Train, precision: Precision, device: torch.device, batch: int
) -> int:
    """A batch size that needs at most the memory of a training step with `batch` images."""
    if device.type != "cuda":
        return batch
    word: PrecisionName = precision.word  # type: ignore[assignment]
    memory = Memory(network, Setting(word, train.optimizer.memory, "cuda"))
    state = train.optimizer.memory.state * memory.gradients
    fits = memory.forward.fit(memory.training.at(batch) - state)
    times = 1
    while times < MOST and 2 * times * batch <= fits:
        times *= 2
    return times * batch
