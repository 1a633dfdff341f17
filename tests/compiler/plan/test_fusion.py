"""Which directives of augmentation are done together, and why others are not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dotcnn.compiler.plan import TrainPlan, plan
from dotcnn.compiler.plan.augment.augmentation import Augmentation
from dotcnn.compiler.plan.augment.passes import INSIDE
from dotcnn.compiler.plan.fusion import (
    Fusion,
    color_matrices,
    fuse,
    fused,
    inner_borders,
    only,
    separate,
    size_when_read,
)
from networks import network

DIRECTIVES = (
    "flip horizontal", "flip both", "rotate 15", "rotate 10 fill=nearest", "scale 0.9..1.1",
    "shift 10%", "shear 10 fill=reflect", "perspective 0.3", "elastic 20", "crop pad=4",
    "crop scale=35%..100%", "color brightness=0.2", "color contrast=0.2 saturation=0.2",
    "color hue=0.1", "color brightness=0.1 hue=0.1", "grayscale", "pca_color 0.1", "noise 0.05",
    "blur 1", "erase", "randaugment", "trivial", "resize 40x40",
)  # fmt: skip


def planned(directives: str, input: str = "3x32x32", sections: str = "") -> TrainPlan:
    return plan(
        network(
            f"network Net {{ input {input}, conv 4, pool avg global, flatten, fc 10 }}\n"
            f"augment {{ {directives} }}\n{sections}"
        ),
        needs_data=False,
    )


def of(directives: str, input: str = "3x32x32", sections: str = "") -> Fusion:
    return fuse(planned(directives, input, sections))


def kinds(directives: str, input: str = "3x32x32", sections: str = "") -> list[str]:
    return [one.kind.name for one in of(directives, input, sections).passes]


@pytest.mark.parametrize(
    ("directives", "wanted"),
    [
        ("flip horizontal, crop pad=4", ["move"]),
        ("crop pad=4, flip both, rotate 10", ["warp"]),
        ("flip both, rotate 15, shift 10%, scale 0.9..1.1, shear 10, perspective 0.2", ["warp"]),
        ("rotate 15, elastic 10", ["warp"]),
        ("elastic 10, rotate 15", ["warp", "warp"]),
        ("rotate 15, noise 0.1, rotate 15", ["warp", "noise", "warp"]),
        ("rotate 15 fill=nearest, shift 10% fill=nearest", ["warp"]),
        ("rotate 15 fill=nearest, shift 10% fill=reflect", ["warp", "warp"]),
        ("rotate 15 fill=0, shift 10% fill=zero, flip both", ["warp"]),
        ("color brightness=0.1, grayscale, pca_color 0.1, color contrast=0.2", ["color"]),
        ("color brightness=0.1 hue=0.1, color contrast=0.1", ["color", "hue", "color"]),
        ("color brightness=0.1, noise 0.1, color brightness=0.1", ["color", "noise", "color"]),
        ("noise 0.1, noise 0.1", ["noise", "noise"]),
        ("erase, mixup, cutmix", ["erase", "mix", "mix"]),
        ("randaugment, trivial", ["policy", "policy"]),
        ("crop scale=8%..100%, rotate 10", ["warp"]),
    ],
)
def test_what_joins_what(directives: str, wanted: list[str]) -> None:
    assert kinds(directives) == wanted


@pytest.mark.parametrize(
    ("directives", "why"),
    [
        ("elastic 10, rotate 15",
         "`elastic` displaces each pixel individually, which a matrix cannot do"),
        ("rotate 15, noise 0.1, rotate 15", "`noise` stands between"),
        ("rotate 15, noise 0.1, erase, rotate 15", "`noise` and `erase` stand between"),
        ("rotate 15 fill=9, shift 10%", "it fills with zero, the directives before with (9)"),
        ("color brightness=0.1, noise 0.1, color contrast=0.1",
         "`noise` stands between, and values are clipped to 0..255 there"),
        ("color brightness=0.1, blur, color contrast=0.1", "`blur` stands between"),
        ("color hue=0.1, grayscale", "rotating hues is not linear"),
        ("mixup, cutmix", "`mixup` mixes the images first"),
    ],
)  # fmt: skip
def test_why_something_does_not_join(directives: str, why: str) -> None:
    assert of(directives).passes[-1].why == why


@pytest.mark.parametrize("directives", ["noise 0.1", "rotate 9, noise 1", "flip both, grayscale"])
def test_what_is_the_first_of_its_kind_needs_no_reason(directives: str) -> None:
    assert [one.why for one in of(directives).passes] == [""] * len(kinds(directives))


def test_a_crop_that_shrinks_much_is_smoothed_and_stands_alone() -> None:
    large = "evaluate { resize 200 }"
    assert kinds("rotate 10, crop scale=35%..100%", "3x64x64", large) == ["warp", "resize"]
    assert of("rotate 10, crop scale=35%..100%", "3x64x64", large).passes[1].why == (
        "`crop` averages over many pixels, but a warp interpolates between four"
    )
    assert kinds("crop scale=35%..100%, rotate 10", "3x64x64", "evaluate { resize 73 }") == ["warp"]


@pytest.mark.parametrize(
    ("directives", "wanted"),
    [
        ("color brightness=0.2 contrast=0.2 saturation=0.2", [1, 1, 1]),
        ("color brightness=0.5..1 contrast=0.5..1 saturation=0..1, grayscale", [4]),
        ("grayscale, color brightness=0.2, grayscale, color contrast=0..1", [2, 2]),
        ("pca_color 0.1, grayscale", [1, 1]),
    ],
)
def test_nothing_is_multiplied_across_what_is_cut_off(directives: str, wanted: list[int]) -> None:
    (one,) = of(directives).passes
    assert [len(matrix) for matrix in color_matrices(one)] == wanted


def test_how_large_images_arrive() -> None:
    assert size_when_read(planned("rotate 10", "3x32x48")) == (32, 48)
    assert size_when_read(planned("crop pad=4")) == (32, 32)
    assert size_when_read(planned("crop scale=8%..100%", "3x224x224")) == (256, 256)
    assert size_when_read(planned("flip both, resize 40, crop", "3x32x32")) == (40, 40)
    assert size_when_read(planned("resize 40x50, crop", "3x32x32")) == (40, 50)


def test_a_first_resize_is_done_when_images_are_read() -> None:
    fusion = of("resize 40, flip both, crop")
    assert [str(step.directive).split()[0] for step in fusion.read] == ["resize"]
    assert [one.kind.name for one in fusion.passes] == ["move"]
    assert kinds("resize 40, flip both, resize 50, crop") == ["move", "resize", "move"]


def test_borders_in_between() -> None:
    """That of what arrives is seen to by the resampling; a flip has none, and changes none."""
    for directives, wanted in (
        ("rotate 10", 0),
        ("flip both, rotate 10", 0),
        ("flip both, rotate 10, flip both, shift 10%, scale 0.9..1.1", 2),
        ("crop pad=4, rotate 10", 1),
        ("crop scale=90%..100%, rotate 10", 1),
        ("rotate 10, crop scale=90%..100%", 0),
    ):
        assert inner_borders(of(directives).passes[0]) == wanted, directives


def test_what_is_not_filled_has_no_colour() -> None:
    assert of("flip both, crop").passes[0].fill == INSIDE
    assert of("flip both, crop pad=1").passes[0].fill == (0.0,)
    assert of("flip both, rotate 10 fill=(1, 2, 3)").passes[0].fill == (1, 2, 3)


def test_normalisation_joins_colours_at_the_end() -> None:
    assert [one.normalizes for one in of("rotate 10, color brightness=0.1").passes] == [False, True]
    assert not of("rotate 10, color brightness=0.1").normalizes
    assert of("color brightness=0.1, noise 0.1").normalizes
    assert of("color hue=0.1").normalizes


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(DIRECTIVES), max_size=8))
def test_nothing_is_lost_doubled_or_put_into_another_order(texts: list[str]) -> None:
    directives = tuple(_one(text) for text in texts)
    fusion = fused(directives, (32, 32), 3)
    numbers = [step.number for one in fusion.passes for step in one.steps]
    assert numbers == sorted(numbers)
    assert set(numbers) | {step.number for step in fusion.read} == set(range(len(texts)))
    size = (32, 32)
    for one in fusion.passes:
        for step in one.steps:
            assert step.input_size == size
            size = step.output_size
        assert one.cost.macs >= 0
        assert one.cost.bytes > 0
    apart = separate(directives, (32, 32), 3)
    assert len(fusion.passes) <= len(apart.passes)
    assert sum(one.cost.bytes for one in fusion.passes) <= sum(
        one.cost.bytes for one in apart.passes
    )


def _one(text: str) -> Augmentation:
    known = _KNOWN.get(text)
    if known is None:
        end = ", crop 32" if text.startswith("resize") else ""
        known = _KNOWN[text] = planned(text + end).augment[0]
    return known


_KNOWN: dict[str, Augmentation] = {}


def test_one_directive_by_itself_keeps_its_number() -> None:
    directives = planned("rotate 15, noise 0.1, color brightness=0.1 hue=0.1").augment
    alone = only(2, directives, (32, 32), 3)
    assert [one.kind.name for one in alone.passes] == ["color", "hue"]
    assert {step.number for one in alone.passes for step in one.steps} == {2}


def test_costs_are_worked_out() -> None:
    """A warp: four products for a place, four weights, four products a channel."""
    warp, color = of("rotate 10, color brightness=0.1").passes
    assert warp.cost.macs == 32 * 32 * (4 + 4 + 3 * 4)
    assert color.cost.macs == 32 * 32 * 3
    assert of("color saturation=0.1").passes[0].cost.macs == 32 * 32 * 3 * 3
    assert of("flip both").passes[0].cost.macs == 0
