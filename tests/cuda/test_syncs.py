"""On a GPU: training steps and augmentation never make the program wait for it.

torch raises an error for operations that do (`torch.cuda.set_sync_debug_mode`). Waiting for an
event is none of them: the loss of the step before is read in that way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import dotcnn
from dotcnn.compiler.plan.fusion import fused
from dotcnn.training.data.loader.batches import Batch
from dotcnn.training.metrics.running_metrics import OFTEN
from dotcnn.training.trainer.loop import Loop
from training.augment.done import CLASSES, augmentations, in_a_ring, module, noisy
from training.augment.test_anything import ANYTHING, COLOURS
from training.small import NETWORK, Looker
from training.trainer.test_syncs import SPECS

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU with CUDA here"),
    pytest.mark.filterwarnings("ignore:Synchronization debug mode"),
]

ON_A_GPU = {
    **SPECS,
    "muon": "optimizer muon lr=0.01",
    "fp16": "precision fp16, clip 1, ema 0.9",
    "deterministic": "deterministic on, accumulate 3",
}


@contextmanager
def no_waiting() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("name", ON_A_GPU)
def test_a_step_does_not_wait(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second step on: in the first one, constant tables are copied to the GPU."""
    watched = 0
    preprocess, train_epoch = Loop.preprocess, Loop.train_epoch

    def second(loop: Loop, batch: Batch) -> tuple[Tensor, Tensor]:
        nonlocal watched
        prepared = preprocess(loop, batch)
        watched += 1
        if watched > 1:
            torch.cuda.set_sync_debug_mode("error")
        return prepared

    def epoch(loop: Loop) -> Any:
        try:
            return train_epoch(loop)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(Loop, "preprocess", second)
    monkeypatch.setattr(Loop, "train_epoch", epoch)
    batch = 1438 // (OFTEN + 4)  # so that the running metrics are added up once
    train = f"train {{ data digits, epochs 1, batch {batch}, {ON_A_GPU[name]} }}"
    augment = "augment { rotate 10, noise 0.1, erase, randaugment }"
    looker = Looker()
    spec = f"{NETWORK}\n{train}\n{augment}"
    dotcnn.train(spec, output=tmp_path / "run", device="cuda", callback=looker)
    assert watched > OFTEN
    assert all(math.isfinite(step.loss) for step in looker.steps)


@pytest.mark.parametrize("text", [*ANYTHING, *COLOURS])
def test_augmentation_does_not_wait(text: str) -> None:
    """From the second batch on; and an image has the random numbers that it has on a CPU."""
    end = ", crop 32" if text.startswith(("crop", "resize")) else ""
    augment = module(fused(augmentations(text + end), (32, 32), 3))
    images, labels, indices = in_a_ring(
        augment, noisy(12, size=(32, 32)), torch.arange(12) % CLASSES
    )
    there, their_labels = images.cuda(), labels.cuda()
    augment(there, their_labels, indices, 0)
    with no_waiting():
        found, shares = augment(there, their_labels, indices, 1)
    expected, expected_shares = augment(images, labels, indices, 1)
    apart = (found.cpu() - expected).abs()
    assert (apart > 1).float().mean() < 0.02
    torch.testing.assert_close(shares.cpu(), expected_shares)
