"""Augmentation on a GPU never waits for it: shown with tensors on `meta`, which have no values.

Whatever reads a value from them, or needs to know how many are true, is an error there: `.item()`,
`.tolist()`, `if tensor`, `nonzero`, an index of booleans. So the code that runs on a GPU runs here.
"""

from __future__ import annotations

import pytest
import torch

from dotcnn.benchmarks.cuda_suite.waits import LaunchesOnMeta, Transfers, to_device_unseen
from dotcnn.compiler.plan.directive import REGISTRY
from dotcnn.compiler.plan.fusion import fused
from dotcnn.training.augment import Augmenter

from .done import CLASSES, augmentations, in_a_ring, module, noisy
from .test_anything import ANYTHING, COLOURS
from .test_series import EVERY, MEL, series

META = torch.device("meta")


def augmenter(text: str, size: int = 32) -> Augmenter:
    end = ", crop 32" if text.startswith(("crop", "resize")) else ""
    return module(fused(augmentations(text + end), (size, size), 3))


def test_every_directive_is_tried() -> None:
    kinds = REGISTRY["augment"]
    assert {kinds[text.split()[0]] for text in (*ANYTHING, *COLOURS)} == set(kinds.values())


@pytest.mark.parametrize("text", [*ANYTHING, *COLOURS])
def test_it_never_waits_for_the_device(text: str) -> None:
    """The first batch fills tables, which are copied once; the second is as all others."""
    augment = augmenter(text)
    images = noisy(4, size=(32, 32))
    images, labels, indices = in_a_ring(augment, images, torch.arange(4) % CLASSES)
    images, labels = images.to(META), labels.to(META)
    for number in range(2):
        with to_device_unseen() as copies, Transfers() as transfers:
            found, _ = augment(images, labels, indices, number)
        assert found.device == META
    assert transfers.seen == []
    assert len(copies) <= 1 + 5 * 3  # the indices; five for each round of a policy


@pytest.mark.parametrize(
    ("text", "shape", "sections"),
    [(text, "2x50", "") for text in (*EVERY.values(), "mixup", "cutmix")]
    + [("noise 5%, mask time=20% frequency=20%, mixup", "2x6x11", MEL)],
)
def test_series_never_wait_for_the_device(text: str, shape: str, sections: str) -> None:
    augment = series(text, shape, sections).to(META)
    samples = torch.zeros(5, 2, 50, device=META)
    labels = torch.zeros(5, dtype=torch.int64, device=META)
    for number in range(2):
        with to_device_unseen() as copies, Transfers() as transfers:
            found, _ = augment(samples, labels, torch.arange(5), number)
        assert found.device == META
    assert transfers.seen == []
    assert len(copies) <= 1


@pytest.mark.parametrize(("text", "most"), [("randaugment n=2", 210), ("trivial", 110)])
def test_policies_start_few_operations(text: str, most: int) -> None:
    """However many images there are: each takes a GPU some microseconds to start."""
    augment, found = augmenter(text), []
    for count in (64, 256):
        images = noisy(count, size=(32, 32)).to(META)
        labels = torch.zeros(count, dtype=torch.int64, device=META)
        augment(images, labels, torch.arange(count))
        with LaunchesOnMeta() as launches:
            augment(images, labels, torch.arange(count))
        found.append(launches.count)
    assert max(found) <= most
