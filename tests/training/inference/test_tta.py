"""Test-time augmentation: the views of an image."""

from __future__ import annotations

import pytest
import torch

from dotcnn.compiler.plan.evaluate import Tta
from dotcnn.training.data.images.resize import Fit
from dotcnn.training.inference.tta import TtaViews, averaged
from dotcnn.training.runtime.import_torchvision import torchvision

FIT = Fit(12, "bilinear", (8, 8))


def image(height: int = 12, width: int = 12) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)


def test_ten_crops_are_torchvisions() -> None:
    functional = torchvision("transforms.v2.functional")
    ours = TtaViews(Tta.make(crops=10), FIT)(image())
    theirs = functional.ten_crop(image(), [8, 8])
    assert {look.numpy().tobytes() for look in ours} == {
        look.contiguous().numpy().tobytes() for look in theirs
    }
    assert len(ours) == 10


def test_five_crops_flipped_are_ten() -> None:
    assert torch.equal(
        TtaViews(Tta.make(crops=5, flip=True), FIT)(image()),
        TtaViews(Tta.make(crops=10), FIT)(image()),
    )


def test_flip_alone_is_the_middle_and_its_mirror_image() -> None:
    looks = TtaViews(Tta.make(flip=True), FIT)(image(12, 20))
    middle = FIT(image(12, 20))
    assert torch.equal(looks, torch.stack([middle, middle.flip(-1)]))


def test_identical_views_are_made_once() -> None:
    looks = TtaViews(Tta.make(crops=5), Fit(8, "bilinear", (8, 8)))(image(8, 8))
    assert torch.equal(looks, image(8, 8)[None])


@pytest.mark.parametrize("size", [(12, 12), (30, 17), (5, 9)])
def test_scales_show_more_or_less_of_it(size: tuple[int, int]) -> None:
    looks = TtaViews(Tta.make(scales=(0.5, 1.0, 2.0)), FIT)(image(*size))
    assert looks.shape == (3, 3, 8, 8)
    assert looks.dtype == torch.uint8
    assert torch.equal(looks[1], FIT(image(*size)))


def test_small_images_repeat_their_border() -> None:
    looks = TtaViews(Tta.make(scales=(0.25,)), Fit(8, "nearest", (8, 8)))(image(8, 8))
    small = image(8, 8)[:, 2::4, 2::4]  # what `nearest` takes at a quarter
    assert torch.equal(looks[0, :, 3:5, 3:5], small)
    assert torch.equal(looks[0, :, 0, 0], small[:, 0, 0])
    assert torch.equal(looks[0, :, 7, 7], small[:, 1, 1])


def test_a_shift_adds_two_views_that_count_as_much_as_the_image() -> None:
    tta = Tta.make(flip=True, shift=2)
    middle = FIT(image())
    padded = torch.nn.functional.pad(middle[None].float(), (2, 2, 2, 2), mode="reflect")[0].byte()
    looks = TtaViews(tta, FIT)(image())
    plain = [middle, padded[:, :8, :8], padded[:, 4:, 4:]]
    assert torch.equal(looks, torch.stack([*plain, *(look.flip(-1) for look in plain)]))
    answers = torch.rand(6, 3)
    expected = (answers[0] + answers[3]) / 4 + (answers[[1, 2, 4, 5]]).sum(0) / 8
    torch.testing.assert_close(averaged(answers, tta), expected)
