"""Augmentation of series: what each directive does to them, by hand, in batches of any size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dotcnn.compiler.plan.directive import SERIES
from dotcnn.compiler.plan.fusion import fuse
from dotcnn.training.augment.random_numbers import Draws
from dotcnn.training.augment.series_module import SeriesAugmenter
from dotcnn.training.augment.series_passes import inside
from dotcnn.training.data.to_spectrogram import ToSpectrogram

from .done import CLASSES, planned

LENGTH = 50


def series(directives: str, input: str = f"2x{LENGTH}", sections: str = "") -> SeriesAugmenter:
    """An augmentation module without normalization."""
    plan = planned(directives, input, sections)
    channels = plan.input[0]
    plain = torch.ones(channels), torch.zeros(channels)
    return SeriesAugmenter(fuse(plan), plain, seed=3, classes=CLASSES)


def done(samples: Tensor, directives: str, epoch: int = 0) -> Tensor:
    augment = series(directives, f"{samples.shape[1]}x{samples.shape[2]}")
    labels = torch.zeros(len(samples), dtype=torch.int64)
    return augment(samples, labels, torch.arange(len(samples)), epoch)[0]  # type: ignore[no-any-return]


def drawn(augment: SeriesAugmenter, count: int) -> Tensor:
    draws = augment._draws
    assert isinstance(draws, Draws)
    return draws(0, torch.arange(count))


def numbered(count: int = 8, channels: int = 2, length: int = LENGTH) -> Tensor:
    """Each value says where it is: steps from 1 on, and channels in steps of 1000."""
    steps = torch.arange(1.0, length + 1).expand(count, channels, -1)
    return steps + 1000.0 * torch.arange(channels).view(1, -1, 1)


def noisy(count: int = 8, channels: int = 2, length: int = LENGTH) -> Tensor:
    return torch.randn(count, channels, length, generator=torch.Generator().manual_seed(1))


# ---- moving steps ----------------------------------------------------------------------------


def test_a_shift_moves_by_what_was_drawn() -> None:
    augment = series("shift steps=-7..12")
    low, high, count = -7, 12, 64
    moved = done(numbered(count), "shift steps=-7..12")
    distances = (drawn(augment, count)[1] * (high - low + 1)).floor().long() + low
    assert {int(distance) for distance in distances} >= {-7, 12}
    for sample, distance in zip(moved, distances, strict=True):
        assert torch.equal(sample, numbered(1)[0].roll(int(distance), -1))


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        ("circular", [4, 5, 1, 2, 3]),
        ("zero", [0, 0, 1, 2, 3]),
        ("nearest", [1, 1, 1, 2, 3]),
        ("reflect", [2, 1, 1, 2, 3]),
        ("mirror", [3, 2, 1, 2, 3]),
    ],
)
def test_what_fills_the_steps_before_the_first(fill: str, expected: list[float]) -> None:
    moved = done(numbered(1, 1, 5), f"shift steps=2..2 fill={fill}")
    assert moved[0, 0].tolist() == expected


@pytest.mark.parametrize("fill", ["circular", "nearest", "reflect", "mirror"])
@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_shift_beyond_the_length_stays_inside(fill: str, length: int) -> None:
    places, _ = inside(torch.arange(-40, 40), length, fill)
    assert 0 <= int(places.min()) <= int(places.max()) < length


def test_a_share_and_milliseconds_are_steps() -> None:
    assert torch.equal(done(numbered(), "shift 10%..10%"), done(numbered(), "shift steps=5..5"))
    in_ms = done(numbered(), "shift ms=2..2 rate=2500")
    assert torch.equal(in_ms, done(numbered(), "shift steps=5..5"))


def test_time_is_reversed_and_the_sign() -> None:
    assert torch.equal(done(numbered(), "flip time p=1"), numbered().flip(-1))
    assert torch.equal(done(numbered(), "flip sign p=1"), -numbered())
    assert torch.equal(done(numbered(), "flip both p=1"), -numbered().flip(-1))
    some = done(numbered(64), "flip time")[:, 0, 0] == 1
    assert 16 < int(some.sum()) < 48


def test_a_stretch_interpolates_about_the_middle() -> None:
    """Of a straight line it makes one of another slope: half of it at twice the length."""
    stretched = done(numbered(1, 1, 5), "stretch 2..2")
    assert stretched[0, 0].tolist() == [2, 2.5, 3, 3.5, 4]
    compressed = done(numbered(1, 1, 5), "stretch 0.5..0.5 fill=zero")
    assert compressed[0, 0].tolist() == [0, 1, 3, 5, 0]


def test_a_part_fills_the_whole_length() -> None:
    parts = done(numbered(16), "crop scale=50%..50%")[:, 0]
    steps = parts.diff(dim=1)
    assert torch.allclose(steps, torch.full_like(steps, 0.5), atol=1e-4)
    assert float(parts.min()) >= 1
    assert float(parts.max()) <= LENGTH
    assert torch.equal(done(numbered(), "crop scale=100%..100%"), numbered())


# ---- changing values -------------------------------------------------------------------------


def test_a_factor_is_the_same_for_all_steps_and_channels() -> None:
    before = noisy()
    factors = done(before, "scale 0.5..2") / before
    assert torch.allclose(factors, factors[:, :1, :1].expand_as(factors))
    assert 0.5 <= float(factors.min()) < 0.8 < float(factors.max()) <= 2
    doubled = done(2 * before, "scale 0.5..2")
    assert torch.allclose(doubled, 2 * done(before, "scale 0.5..2"))


def test_decibels_are_20_log10_of_the_factor() -> None:
    before = noisy()
    assert torch.allclose(done(before, "scale db=20..20"), 10 * before)
    assert torch.allclose(done(before, "scale db=-6..-6"), before * 0.501187, rtol=1e-5)


def test_the_strength_of_noise_is_relative_to_the_channel() -> None:
    before = noisy(4, 2, 20_000) * torch.tensor([1.0, 100.0]).view(1, 2, 1) + 7
    noise = done(before, "noise 0.1..0.1") - before
    assert noise.std(-1).tolist() == [pytest.approx([0.1, 10], rel=0.05)] * 4
    noise = done(before, "noise snr=20..20") - before
    ratio = before.square().mean(-1) / noise.square().mean(-1)
    assert (10 * ratio.log10()).flatten().tolist() == pytest.approx([20] * 8, abs=0.3)


def test_a_flat_channel_stays_as_it_is() -> None:
    flat = torch.full((2, 1, LENGTH), 5.0)
    assert torch.equal(done(flat, "noise 10%"), flat)


def test_masks_are_as_wide_as_said() -> None:
    before = noisy(64)
    after = done(before, "mask time=20%..40% fill=zero")
    masked = after == 0
    widths = masked[:, 0].sum(1)
    assert torch.equal(masked[:, 0], masked[:, 1])
    assert {10, 20} <= {*widths.tolist()}
    assert 10 <= int(widths.min()) <= int(widths.max()) <= 20
    edges = masked[:, 0].int().diff(dim=1).abs().sum(1)
    assert int(edges.max()) <= 2  # one span
    assert torch.equal(after[~masked], before[~masked])


def test_a_mask_has_the_mean_of_its_channel() -> None:
    before = noisy()
    after = done(before, "mask time=50%..50%")
    changed = after != before
    means = before.mean(-1, keepdim=True).expand_as(before)
    assert torch.equal(after[changed], means[changed])
    assert int(changed.sum()) == 8 * 2 * LENGTH // 2


# ---- spectrograms ----------------------------------------------------------------------------

MEL = "evaluate { mel 6 window=20 hop=5 rate=100 }"
"""11 frames of 50 steps."""


def test_bands_and_frames_are_masked_in_the_spectrogram() -> None:
    samples = noisy(32, 1)
    labels, indices = torch.zeros(32, dtype=torch.int64), torch.arange(32)
    plan = planned("", "1x6x11", MEL)
    whole = ToSpectrogram(plan.evaluate.spectrogram, plan.input)(samples)  # type: ignore[arg-type]
    one = "mask time=30%..30% frequency=35%..35% fill=9"
    after, _ = series(one, "1x6x11", MEL)(samples, labels, indices)
    masked = after == 9
    assert after.shape == (32, 1, 6, 11)
    assert torch.equal(masked[:, 0].all(1).sum(1), torch.full((32,), 3))  # 3.3 of 11 frames
    assert torch.equal(masked[:, 0].all(2).sum(1), torch.full((32,), 2))  # 2.1 of 6 bands
    assert torch.equal(after[~masked], whole[~masked])


def test_words_of_series_come_before_the_spectrogram() -> None:
    samples, labels, indices = noisy(4, 1), torch.zeros(4).long(), torch.arange(4)
    after, _ = series("scale db=20..20", "1x6x11", MEL)(samples, labels, indices)
    plain, _ = series("scale db=0..0", "1x6x11", MEL)(samples, labels, indices)
    assert torch.allclose(after, plain + 20, atol=1e-3)


def test_bands_may_be_the_channels_of_the_input() -> None:
    samples, labels, indices = noisy(4, 2), torch.zeros(4).long(), torch.arange(4)
    one, _ = series("flip sign p=0", "2x6x11", MEL)(samples, labels, indices)
    other, _ = series("flip sign p=0", "12x11", MEL)(samples, labels, indices)
    assert torch.equal(one.flatten(1, 2), other)


# ---- scans -----------------------------------------------------------------------------------


def test_scans_are_reversed_along_their_axes() -> None:
    scans = torch.randn(64, 2, 3, 4, 5, generator=torch.Generator().manual_seed(2))
    labels, indices = torch.zeros(64, dtype=torch.int64), torch.arange(64)
    axes = {"horizontal": (-1,), "vertical": (-2,), "slices": (-3,), "all": (-3, -2, -1)}
    for word, reversed_ in axes.items():
        after, _ = series(f"flip {word} p=1", "2x3x4x5")(scans, labels, indices)
        assert torch.equal(after, scans.flip(reversed_))
    some, _ = series("flip all", "2x3x4x5")(scans, labels, indices)
    kinds = {
        tuple(axis for axis in (-3, -2, -1) if chosen >> -axis - 1 & 1): 0 for chosen in range(8)
    }
    for before, after in zip(scans, some, strict=True):
        (kind,) = [kind for kind in kinds if torch.equal(after, before.flip(kind))]
        kinds[kind] += 1
    assert min(kinds.values()) > 0


def test_noise_of_scans_is_not_clipped_and_relative_to_the_channel() -> None:
    scans = torch.randn(2, 2, 8, 30, 40) * torch.tensor([1.0, 1000.0]).view(1, 2, 1, 1, 1) - 500
    labels, indices = torch.zeros(2, dtype=torch.int64), torch.arange(2)
    after, _ = series("noise 0.1..0.1", "2x8x30x40")(scans, labels, indices)
    deviations = (after - scans).std((2, 3, 4))
    assert deviations.tolist() == [pytest.approx([0.1, 100], rel=0.05)] * 2
    mixed, _ = series("scale 2..2, mixup p=0", "2x8x30x40")(scans, labels, indices)
    assert torch.equal(mixed, 2 * scans[:1])


# ---- mixing ----------------------------------------------------------------------------------


def test_cutmix_pastes_a_span_and_mixes_labels_in_proportion() -> None:
    augment = series("cutmix")
    samples = torch.arange(9.0).view(-1, 1, 1).expand(-1, 2, LENGTH)
    mixed, labels = augment(samples, torch.arange(9) % CLASSES, torch.arange(9))
    assert mixed.shape == (8, 2, LENGTH)
    own = torch.arange(8.0).view(-1, 1, 1)
    share = (mixed == own).float().mean((1, 2))
    assert torch.equal((mixed == own) | (mixed == own + 1), torch.ones_like(mixed).bool())
    assert torch.allclose(labels[torch.arange(8), torch.arange(8) % CLASSES], share)
    assert 0.1 < float(share.min()) < 0.9 or float(share.min()) < 0.5
    assert int((mixed[:, 0].diff(dim=1) != 0).sum(1).max()) <= 2


def test_mixup_is_the_weighted_mean() -> None:
    augment = series("mixup 1")
    samples = torch.arange(5.0).view(-1, 1, 1).expand(-1, 2, LENGTH)
    mixed, labels = augment(samples, torch.arange(5), torch.arange(5))
    theirs = labels[torch.arange(4), torch.arange(1, 5)]
    assert torch.allclose(mixed[:, 0, 0], torch.arange(4.0) + theirs)


# ---- batches ---------------------------------------------------------------------------------

EVERY = {
    "flip": "flip both",
    "shift": "shift 30% p=70% fill=reflect",
    "scale": "scale 0.5..2 p=70%",
    "gain": "gain db=6",
    "noise": "noise 10%..20% p=70%",
    "stretch": "stretch 0.7..1.5 p=70%",
    "crop": "crop scale=40%..100% p=70%",
    "mask": "mask time=40% n=3 p=70%",
}


def test_every_directive_is_tried() -> None:
    assert set(EVERY) == set(SERIES["augment"])


@pytest.mark.parametrize("text", [*EVERY.values(), ", ".join(EVERY.values())])
def test_a_sample_is_the_same_in_any_batch(text: str) -> None:
    before, epochs = noisy(6), []
    augment = series(text)
    labels = torch.zeros(6, dtype=torch.int64)
    for epoch in range(2):
        together, _ = augment(before, labels, torch.arange(6), epoch)
        alone = [
            augment(before[i : i + 1], labels[:1], torch.tensor([i]), epoch)[0] for i in range(6)
        ]
        assert torch.equal(together, torch.cat(alone))
        epochs.append(together)
    assert not torch.equal(*epochs)
    assert torch.equal(before, noisy(6))
    assert augment(before, labels, torch.arange(6), 0)[0].dtype == torch.float32


def test_series_are_normalized_before_and_spectrograms_afterwards() -> None:
    factor, offset = torch.tensor([2.0, 10.0]), torch.tensor([1.0, -1.0])
    augment = SeriesAugmenter(
        fuse(planned("scale 3..3", "2x5")), (factor, offset), seed=0, classes=CLASSES
    )
    nothing = torch.zeros(1, dtype=torch.int64)
    after, _ = augment(torch.ones(1, 2, 5), nothing, nothing)
    assert after[0, :, 0].tolist() == [9, 27]
    plan = planned("mask time=100%..100% fill=zero", "2x6x11", MEL)
    augment = SeriesAugmenter(fuse(plan), (factor, offset), seed=0, classes=CLASSES)
    after, _ = augment(noisy(1, 2), nothing, nothing)
    assert after[0, :, 0, 0].tolist() == [1, -1]
