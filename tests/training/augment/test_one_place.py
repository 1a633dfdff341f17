"""A new directive of `augment` needs only its class and its implementation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from dotcnn.compiler.language.kinds import share
from dotcnn.compiler.plan.augment.augmentation import Augmentation
from dotcnn.compiler.plan.augment.passes import Cost, PassKind, Size, numbers
from dotcnn.compiler.plan.directive import REGISTRY
from dotcnn.compiler.plan.fusion import Step, fuse
from dotcnn.compiler.report.explain.augment import explain_augment
from dotcnn.training.augment.per_image import BoundPass
from dotcnn.training.augment.registry import _IMPLEMENTATIONS, Resources, implements

from .done import augmentations, done, noisy, planned

INVERT = PassKind("invert", "invert", "levels are inverted", alone="`{before}` comes before")


@pytest.fixture(autouse=True)
def added() -> Iterator[None]:
    class Invert(Augmentation):
        """Invert levels at random."""

        word = "invert"
        pass_kind = INVERT

        p: float = share("probability", 0.5)

        def cost(self, kind: PassKind, input_size: Size, channels: int) -> Cost:
            return Cost(numbers(input_size, channels), 8 * numbers(input_size, channels))

    @implements(Invert, INVERT)
    class InvertLevels:
        def __init__(self, directive: Invert, step: Step, resources: Resources) -> None:
            self._p = directive.p
            self._at = resources.layout.reserve(step.number, 0, 1)

        def __call__(self, drawn: Tensor) -> BoundPass:
            chosen = (drawn[self._at][0] < self._p).view(-1, 1, 1, 1)
            return lambda images, piece: torch.where(chosen[piece], 255 - images, images)

    REGISTRY["augment"]["invert"] = Invert
    yield
    del REGISTRY["augment"]["invert"]
    del _IMPLEMENTATIONS[Invert, "invert"]


def test_a_new_directive_works_with_others() -> None:
    images = noisy(4)
    assert torch.equal(done(images, "invert 100%"), 255 - images.float())
    assert torch.equal(done(images, "invert 0, flip both p=0"), images.float())


def test_its_cost_and_reasons_are_explained() -> None:
    fusion = fuse(planned("invert, invert, rotate 10"))
    assert [one.kind.name for one in fusion.passes] == ["invert", "invert", "warp"]
    assert fusion.passes[0].cost == Cost(3 * 32 * 32, 8 * 3 * 32 * 32)
    told = "\n".join(explain_augment(fusion))
    assert "1. levels are inverted" in told
    assert "`invert` comes before" in told
    assert str(augmentations("invert 1")[0]) == "invert p=100%"
