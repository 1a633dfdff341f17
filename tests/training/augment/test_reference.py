"""Each directive alone, compared with torchvision with the same parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dotcnn.compiler.plan.augment.passes import RESIZE
from dotcnn.compiler.plan.fusion import fused
from dotcnn.training.augment.area_resize import cut_by_matrices
from dotcnn.training.augment.homography import quadrilateral
from dotcnn.training.augment.random_numbers import Draws, Layout
from dotcnn.training.augment.registry import implementation
from dotcnn.training.augment.transforms import Transform, corners, parts
from dotcnn.training.augment.warp import InverseMap, warp
from dotcnn.training.runtime.import_torchvision import torchvision

from .done import augmentations, done, module, noisy, resources

v2: Any = torchvision("transforms.v2.functional")
BILINEAR = torchvision("transforms").InterpolationMode.BILINEAR
H, W = 33, 47

LEVELS = 0.01
"""Of 255: float32 places between pixels of noise are not exact to more."""


def affine(angle: float = 0, shift: tuple[float, float] = (0, 0), scale: float = 1,
           shear: tuple[float, float] = (0, 0)) -> Callable[[Tensor], Tensor]:  # fmt: skip
    def run(images: Tensor) -> Tensor:
        found: Tensor = v2.affine(
            images, angle, list(shift), scale, list(shear), interpolation=BILINEAR
        )
        return found

    return run


CASES: dict[str, Callable[[Tensor], Tensor]] = {
    "flip horizontal p=1": v2.horizontal_flip,
    "flip vertical p=1": v2.vertical_flip,
    "flip both p=1": lambda images: v2.vertical_flip(v2.horizontal_flip(images)),
    "rotate 20..20": lambda images: v2.rotate(images, 20, interpolation=BILINEAR),
    "rotate -75..-75": lambda images: v2.rotate(images, -75, interpolation=BILINEAR),
    "scale 1.3..1.3": affine(scale=1.3),
    "scale 0.6..0.6": affine(scale=0.6),
    "shift x=0.1..0.1 y=-0.2..-0.2": affine(shift=(0.1 * W, -0.2 * H)),
    "shear 12..12 y=-7..-7": affine(shear=(12, -7)),
    "shear 0..0 y=30..30": affine(shear=(0, 30)),
    "color brightness=1.4..1.4": lambda images: v2.adjust_brightness(images, 1.4),
    "color contrast=1.6..1.6": lambda images: v2.adjust_contrast(images, 1.6),
    "color saturation=0.3..0.3": lambda images: v2.adjust_saturation(images, 0.3),
    "color saturation=2..2": lambda images: v2.adjust_saturation(images, 2.0),
    "color hue=0.1..0.1": lambda images: v2.adjust_hue(images, 0.1),
    "color hue=-0.4..-0.4": lambda images: v2.adjust_hue(images, -0.4),
    "grayscale p=1": lambda images: v2.rgb_to_grayscale(images, 3),
    "blur 1.3..1.3": lambda images: v2.gaussian_blur(images, [9, 9], [1.3, 1.3]),
}


@pytest.mark.parametrize("directive", CASES)
def test_directives_agree_with_torchvision_on_floats(directive: str) -> None:
    images = noisy().float()
    reference = CASES[directive](images / 255) * 255
    assert (done(images, directive) - reference).abs().max() < LEVELS


@pytest.mark.parametrize("directive", CASES)
def test_directives_agree_with_torchvision_on_bytes_within_a_level(directive: str) -> None:
    """torchvision makes bytes of everything on the way, mostly by leaving out what is behind the
    point; here nothing is rounded before somebody wants bytes."""
    images = noisy()
    reference = CASES[directive](images).float()
    found = (done(images, directive) + LEVELS).floor()
    assert (found - reference).abs().max() <= 1


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("directive", list(CASES)[:9])
def test_directives_agree_for_any_number_of_channels(directive: str, channels: int) -> None:
    images = noisy(channels=channels).float()
    reference = CASES[directive](images / 255) * 255
    assert (done(images, directive) - reference).abs().max() < LEVELS


@pytest.mark.parametrize("directive", ["color brightness=1.4..1.4", "color contrast=1.6..1.6"])
def test_brightness_and_contrast_of_gray_images(directive: str) -> None:
    images = noisy(channels=1).float()
    reference = CASES[directive](images / 255) * 255
    assert (done(images, directive) - reference).abs().max() < LEVELS


# ---- on a GPU --------------------------------------------------------------------------------


def test_crops_by_matrices_are_those_of_interpolation() -> None:
    """Made smaller, larger, and only along one side."""
    images = noisy(6, size=(40, 56)).float()
    boxes = torch.tensor([[0, 0, 56, 40], [3, 5, 50, 9], [10, 2, 7, 30], [55, 39, 1, 1],
                          [20, 10, 16, 24], [1, 30, 55, 10]])  # fmt: skip
    found = cut_by_matrices(images, boxes.float(), (24, 16))
    for image, (left, top, width, height), result in zip(
        images, boxes.tolist(), found, strict=True
    ):
        part = image[None, :, top : top + height, left : left + width]
        reference = F.interpolate(
            part, (24, 16), mode="bilinear", align_corners=False, antialias=True
        )
        assert (result - reference[0]).abs().max() < LEVELS


def test_a_crop_is_never_read_back_from_a_gpu() -> None:
    """A tensor without data stands for one on a GPU: reading it is an error."""
    augment = module(fused(augmentations("crop 16 scale=40%..100%", "3x16x16"), (64, 64), 3))
    assert augment.fusion.passes[0].kind == RESIZE
    images = noisy(4, size=(64, 64)).to("meta")
    labels = torch.arange(4, device="meta")
    assert augment(images, labels, torch.arange(4))[0].shape == (4, 3, 16, 16)


# ---- what is drawn -----------------------------------------------------------------------------


def test_perspective_agrees() -> None:
    images, size = noisy(20).float(), (H, W)
    drawn = torch.rand(8, 20, generator=torch.Generator().manual_seed(0))
    ends = corners(drawn, 0.5, size)
    transform = Transform(quadrilateral(ends, size), "constant", size, projective=True)
    made = warp(images, InverseMap([transform], drawn[0], size), slice(0, 20))
    starts = [[0, 0], [W - 1, 0], [W - 1, H - 1], [0, H - 1]]
    for image, end, found in zip(images, ends, made, strict=True):
        reference = v2.perspective(image, starts, end.int().tolist(), interpolation=BILINEAR)
        # Where four equations are solved in float32, places are exact to 1/1000 of a pixel.
        assert (found - reference).abs().max() < 0.5


def test_elastic_agrees() -> None:
    """With the field that was drawn, which is torchvision's in distribution."""
    size = (H, W)
    fusion = fused(augmentations("elastic 60 sigma=4", f"3x{H}x{W}"), size, 3)
    made_with = resources()
    elastic = implementation(fusion.passes[0].steps[0], made_with)
    images = noisy(30).float()
    field = elastic(Draws(made_with.layout, 0)(0, torch.arange(30)), size)(slice(0, 30))
    found = done(images, "elastic 60 sigma=4")
    for image, moved, one in zip(images, field, found, strict=True):
        grid = torch.stack([moved[0] * 2 / W, moved[1] * 2 / H], -1)[None]
        reference = v2.elastic(image, grid, interpolation=BILINEAR)
        assert (one - reference).abs().max() < LEVELS
    made = torchvision("transforms.v2").ElasticTransform(60.0, 4.0)
    square = torch.zeros(3, W, W)  # older releases divide widths by the height
    theirs = torch.cat([made.make_params([square])["displacement"] for _ in range(30)])
    assert theirs[..., 0].std() * W / 2 == pytest.approx(float(field[:, 0].std()), rel=0.1)


@pytest.mark.parametrize(
    ("fill", "mode"),
    [
        ("zero", "constant"), ("nearest", "edge"), ("reflect", "symmetric"), ("mirror", "reflect"),
        ("77", "constant"),
    ],
)  # fmt: skip
def test_a_crop_agrees_with_one_of_the_padded_image(fill: str, mode: str) -> None:
    images = noisy(64, size=(20, 24))
    found = done(images, f"crop pad=4 fill={fill}")
    padded = v2.pad(images, [4] * 4, fill=77 if fill == "77" else 0, padding_mode=mode)
    for one, whole in zip(found, padded, strict=True):
        cuts = whole.unfold(1, 20, 1).unfold(2, 24, 1)  # C x places x places x H x W
        same = (cuts == one.byte()[:, None, None]).all(-1).all(-1).all(0)
        assert same.sum() >= 1


def test_all_places_of_a_crop_are_drawn() -> None:
    image = torch.arange(16, dtype=torch.uint8).view(1, 1, 4, 4).expand(600, -1, -1, -1)
    found = done(image, "crop 2", out=(2, 2))[:, 0, 0, 0].int()
    assert sorted(set(found.tolist())) == [0, 1, 2, 4, 5, 6, 8, 9, 10]
    assert found.bincount()[[0, 1, 2, 4, 5, 6, 8, 9, 10]].min() > 35


def drawn_parts(text: str, size: tuple[int, int], count: int) -> Tensor:
    """What `crop` cuts out."""
    (crop,) = augmentations(text, f"3x{size[0]}x{size[1]}")
    drawn = torch.rand(22, count, generator=torch.Generator().manual_seed(0))
    return parts(drawn, crop, size)  # type: ignore[arg-type]


def test_a_crop_of_any_size_agrees() -> None:
    images = noisy(12).float()
    found = done(images, "crop scale=40%..100%")
    layout = Layout()
    layout.reserve(0, 1, 22)
    boxes = parts(
        Draws(layout, 0)(0, torch.arange(12)),
        augmentations("crop scale=40%..100%", f"3x{H}x{W}")[0],  # type: ignore[arg-type]
        (H, W),
    )
    for image, (left, top, width, height), one in zip(images, boxes.int().tolist(), found,
                                                      strict=True):  # fmt: skip
        reference = v2.resized_crop(image, top, left, height, width, [H, W], antialias=False)
        assert (one - reference).abs().max() < LEVELS


def test_a_crop_that_shrinks_much_agrees_with_a_smoothed_one() -> None:
    images = noisy(12, size=(64, 80)).float()
    found = done(images, "crop 16 scale=40%..100%", out=(16, 16))
    layout = Layout()
    layout.reserve(0, 1, 22)
    boxes = parts(
        Draws(layout, 0)(0, torch.arange(12)),
        augmentations("crop 16 scale=40%..100%", "3x16x16")[0],  # type: ignore[arg-type]
        (64, 80),
    )
    for image, (left, top, width, height), one in zip(images, boxes.int().tolist(), found,
                                                      strict=True):  # fmt: skip
        reference = v2.resized_crop(image, top, left, height, width, [16, 16], antialias=True)
        assert (one - reference).abs().max() < LEVELS


def test_parts_are_drawn_as_torchvision_draws_them() -> None:
    """In distribution: how large, how wide, where; also where hardly anything fits."""
    for text, size in (("crop scale=8%..100%", (40, 60)), ("crop scale=90%..100%", (20, 60))):
        found = drawn_parts(text, size, 3000)
        scale = (0.08, 1.0) if "8%" in text else (0.9, 1.0)
        made = torchvision("transforms.v2").RandomResizedCrop(size, scale=scale)
        torch.manual_seed(0)
        images = [torch.empty(1, *size)]
        drawn = [made.make_params(images) for _ in range(3000)]
        theirs = torch.tensor([[p[k] for k in ("left", "top", "width", "height")] for p in drawn])
        assert torch.allclose(found.mean(0), theirs.float().mean(0), atol=0.6)
        assert torch.allclose(found.std(0), theirs.float().std(0), atol=0.5)
        assert (found[:, :2] >= 0).all()
        assert (found[:, 0] + found[:, 2] <= size[1]).all()
        assert (found[:, 1] + found[:, 3] <= size[0]).all()


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
def test_a_second_resize_agrees(mode: str) -> None:
    images = noisy(2, size=(30, 40)).float()
    found = done(images, f"resize 15x22 mode={mode}", out=(15, 22))
    interpolation = getattr(
        torchvision("transforms").InterpolationMode,
        "NEAREST_EXACT" if mode == "nearest" else mode.upper(),
    )
    reference = v2.resize(images / 255, [15, 22], interpolation).clamp(0, 1) * 255
    assert (found - reference).abs().max() < LEVELS


def test_erased_parts_are_drawn_as_torchvision_draws_them() -> None:
    images = torch.full((3000, 1, 24, 32), 200, dtype=torch.uint8)
    found = done(images, "erase p=1")
    assert set(found.unique().tolist()) == {0.0, 200.0}
    made = torchvision("transforms.v2").RandomErasing(p=1)
    torch.manual_seed(0)
    theirs = torch.stack([made(image) for image in images])
    mine, ours = (found == 0).float(), (theirs == 0).float()
    assert mine.mean() == pytest.approx(float(ours.mean()), abs=0.006)
    assert torch.allclose(mine.mean((0, 1)), ours.mean((0, 1)), atol=0.05)
    assert mine.mean((1, 2, 3)).std() == pytest.approx(float(ours.mean((1, 2, 3)).std()), abs=0.006)


def test_erased_parts_are_noise_or_a_color() -> None:
    images = torch.full((200, 3, 16, 16), 50, dtype=torch.uint8)
    coloured = done(images, "erase p=1 fill=(1, 2, 3)")
    assert [sorted(set(coloured[:, c].unique().tolist())) for c in range(3)] == [
        [1, 50], [2, 50], [3, 50],
    ]  # fmt: skip
    noise = done(images, "erase p=1 fill=noise")
    drawn = noise[noise != 50]
    assert drawn.mean() == pytest.approx(0, abs=0.05)  # of what the network takes
    assert drawn.std() == pytest.approx(1, abs=0.05)


def test_noise_is_gaussian_and_clipped() -> None:
    images = torch.full((64, 3, 32, 32), 128, dtype=torch.uint8)
    noise = (done(images, "noise 0.05") - 128) / 255
    assert noise.mean() == pytest.approx(0, abs=5e-4)
    assert noise.std() == pytest.approx(0.05, rel=0.01)
    assert (noise.abs() < 0.05).float().mean() == pytest.approx(0.6827, abs=0.01)
    each = noise.flatten(1)
    assert (torch.corrcoef(each) - torch.eye(64)).abs().max() < 0.1
    shifted = (each[:, 1:] * each[:, :-1]).mean() / 0.05**2
    assert shifted == pytest.approx(0, abs=0.02)
    white = done(torch.full((8, 3, 32, 32), 250, dtype=torch.uint8), "noise 0.1")
    assert white.max() == 255
    assert (white == 255).float().mean() == pytest.approx(0.42, abs=0.03)


def test_light_is_added_along_the_directions_in_which_colours_vary() -> None:
    images = torch.full((4000, 3, 2, 2), 128, dtype=torch.uint8)
    light = (done(images, "pca_color 0.1") - 128)[:, :, 0, 0] / 255
    values = torch.tensor([0.2175, 0.0188, 0.0045])
    vectors = torch.tensor(
        [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
    )
    wanted = vectors @ torch.diag((0.1 * values) ** 2) @ vectors.t()
    assert torch.allclose(torch.cov(light.t()), wanted, atol=2e-5)
    assert light.mean().abs() < 2e-3


# ---- how often ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "directive",
    ["flip horizontal p=30%", "rotate 20..20 p=30%", "color brightness=2..2 p=30%", "noise 1 p=30%",
     "erase p=30%", "grayscale p=30%", "blur 2 p=30%", "perspective p=30%", "elastic p=30%",
     "shift 50%..50% p=30%", "color hue=0.3..0.3 p=30%", "pca_color 5 p=30%"],
)  # fmt: skip
def test_directives_are_applied_with_their_probability(directive: str) -> None:
    images = noisy(400, size=(12, 12)).float()
    changed = (done(images, directive) - images).abs().amax((1, 2, 3)) > 0.5
    assert changed.float().mean() == pytest.approx(0.3, abs=0.08)


def test_ranges_are_sampled_uniformly() -> None:
    images = torch.full((2000, 1, 2, 2), 100, dtype=torch.uint8)
    factor = done(images, "color brightness=0.5..1.5")[:, 0, 0, 0] / 100
    assert factor.min() == pytest.approx(0.5, abs=0.01)
    assert factor.max() == pytest.approx(1.5, abs=0.01)
    assert factor.std() == pytest.approx(12**-0.5, rel=0.05)


# ---- what is beyond ----------------------------------------------------------------------------


def test_fill_color_outside_the_image() -> None:
    images = torch.full((1, 3, 20, 20), 90, dtype=torch.uint8)
    found = done(images, "shift x=0.5..0.5 fill=(10, 20, 30)")
    assert (found[0, :, :, 10:] - 90).abs().max() < LEVELS
    assert torch.allclose(found[0, :, 4, 4], torch.tensor([10.0, 20, 30]))


def test_the_edge_between_image_and_fill_is_antialiased() -> None:
    """Half a pixel of each where half a pixel is of each; torchvision's edge is darker."""
    images = torch.full((1, 1, 8, 8), 100, dtype=torch.uint8)
    found = done(images, "shift x=0.3125..0.3125 fill=60")  # 2.5 pixels
    assert torch.allclose(found[0, 0, 4, :4], torch.tensor([60.0, 60, 80, 100]), atol=LEVELS)


@pytest.mark.parametrize(
    ("fill", "mode"), [("nearest", "edge"), ("reflect", "symmetric"), ("mirror", "reflect")]
)
def test_borders_are_repeated_or_mirrored(fill: str, mode: str) -> None:
    images = noisy(size=(20, 20))
    found = done(images, f"shift x=0.25..0.25 y=-0.1..-0.1 fill={fill}")
    padded = v2.pad(images, [5, 5, 5, 5], padding_mode=mode)
    assert (found - padded[:, :, 7:27, 0:20].float()).abs().max() < LEVELS


def test_images_are_normalized_for_the_network() -> None:
    fusion = fused(augmentations("flip horizontal p=0"), (32, 32), 3)
    augment = module(fusion)
    images = noisy(2, size=(32, 32))
    labels = torch.tensor([1, 2])
    found, same = augment(images, labels, torch.arange(2))
    assert torch.equal(found, images.float())
    assert same is labels
