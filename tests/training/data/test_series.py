"""Series and scans: what is read of arrays, memory maps, text and sound, and what is refused."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.plan import TrainPlan, plan
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.dsl.program import load_program
from dotcnn.dsl.source import Source
from dotcnn.training.data.images.image_file import BadImage
from dotcnn.training.data.images.preprocessing import Preparation
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.data.samples.sample_fit import SampleFit
from dotcnn.training.data.samples.sound import resampled, sound_in
from dotcnn.training.data.sources.count_classes import classes_for

RANDOM = numpy.random.default_rng(0)


def planned(data: str, more: str = "", *, input: str) -> TrainPlan:
    program = load_program(Source("net.cnn", (
        f"network Net {{\n  input {input}\n  conv 4 3 same, relu\n  pool avg global, flatten\n"
        f"  fc classes\n}}\ntrain {{\n  data {data}\n}}\n{more}\n"
    )))  # fmt: skip
    return plan(elaborate(program, classes=classes_for(program, Path())))


def opened(data: str, more: str = "", *, input: str, budget: int | None = None) -> Opened:
    return open_data(planned(data, more, input=input), Path(), threads=2, budget=budget)


def refused(data: str, more: str = "", *, input: str) -> Diagnostic:
    with pytest.raises(SpecError) as caught:
        opened(data, more, input=input)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


def series(count: int = 30, channels: int = 2, length: int = 20) -> Any:
    return RANDOM.normal(5, 3, (count, channels, length)).astype(numpy.float32)


def labels(count: int = 30) -> Any:
    return numpy.arange(count) % 3


def npz(folder: Path, **arrays: Any) -> str:
    numpy.savez(folder / "set.npz", **arrays)
    return f'npz "{folder / "set.npz"}"'


# ---- arrays ----------------------------------------------------------------------------------


def test_numbers_keep_their_units_and_are_normalized_by_channel(tmp_path: Path) -> None:
    x = series()
    x[:, 1] = 100 * x[:, 1] + 7
    found = opened(npz(tmp_path, x=x, y=labels()), input="2x20")
    store = found.stores["train"]
    assert store.images.dtype == torch.float32
    mine = x[[int(store.source.numbers[i]) for i in range(len(store))]]
    mean, std = mine.mean((0, 2), dtype=float), mine.std((0, 2), dtype=float)
    assert found.preparation.mean == pytest.approx(mean, rel=1e-5)
    assert found.preparation.std == pytest.approx(std, rel=1e-5)
    prepared = found.preparation.prepare(store.images)
    assert prepared.mean((0, 2)).abs().max() < 1e-4
    assert (prepared.std((0, 2), correction=0) - 1).abs().max() < 1e-4
    assert any("series: 24 for training" in line for line in found.dataset.lines())


def test_channels_may_be_last_or_missing(tmp_path: Path) -> None:
    x = series(6, 3, 20)
    first = opened(npz(tmp_path, x=x, y=labels(6)), input="3x20")
    last = opened(npz(tmp_path, x=x.transpose(0, 2, 1), y=labels(6)), input="3x20")
    assert torch.equal(first.image("train", 0), last.image("train", 0))
    assert any("channels are the last axis" in line for line in last.dataset.lines())
    flat = opened(npz(tmp_path, x=x[:, 0], y=labels(6)), input="1x20")
    assert torch.equal(flat.image("train", 0), first.image("train", 0)[:1])


@pytest.mark.parametrize("kind", ["u1", "i2", ">f4", "f8", "?"])
def test_number_types(tmp_path: Path, kind: str) -> None:
    x = RANDOM.integers(0, 2, (6, 1, 20)).astype(kind)
    found = opened(npz(tmp_path, x=x, y=labels(6)), input="1x20")
    store = found.stores["train"]
    kept = {"u1": torch.uint8, "i2": torch.int16}.get(kind, torch.float32)
    assert store.images.dtype == kept
    place = int(store.source.numbers[0])
    assert store.images[0].tolist() == x[place].astype(float).tolist()


def test_each_series_by_itself(tmp_path: Path) -> None:
    x = series() * RANDOM.uniform(1, 50, (30, 1, 1)).astype(numpy.float32)
    x[0, 0] = 4  # constant
    found = opened(npz(tmp_path, x=x, y=labels()), "evaluate { normalize each }", input="2x20")
    store = found.stores["train"]
    prepared = found.preparation.prepare(store.images)
    deviation = prepared.std(2, correction=0)
    assert prepared.mean(2).abs().max() < 1e-5
    assert (((deviation - 1).abs() < 1e-5) | (deviation == 0)).all()
    again = Preparation.from_json(found.preparation.to_json())
    assert again == found.preparation
    place = int(store.source.numbers[5])
    assert torch.equal(again.prepare(again.image(x[place])[None]), prepared[5:6])


def test_scans(tmp_path: Path) -> None:
    x = RANDOM.integers(0, 255, (6, 4, 6, 5)).astype(numpy.int16)
    found = opened(npz(tmp_path, x=x, y=labels(6)), input="1x4x6x5")
    batch = next(iter(found.training()(0)))
    assert batch.images.shape[1:] == (1, 4, 6, 5)
    assert any("scans: " in line for line in found.dataset.lines())


def test_what_is_not_finite_is_named_and_left_out(tmp_path: Path) -> None:
    x = series(200, 1, 20)
    x[17, 0, 3], x[31, 0, 5:] = numpy.nan, numpy.inf
    data = npz(tmp_path, x=x, y=labels(200))
    found = opened(data, input="1x20")
    bad = {each.name: each.reason for each in found.dataset.bad}
    assert bad == {"x #17": "step 3 is NaN", "x #31": "step 5 is infinite, and 14 more"}
    assert sum(part.count for part in found.dataset.parts) == 198
    diagnostic = refused(f"{data} bad=0.5%", input="1x20")
    assert diagnostic.message.startswith("2 of 200 series in ")
    assert "bad=2%" in diagnostic.help


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    data = npz(tmp_path, x=series(6, 3, 20), y=labels(6))
    wrong = refused(data, input="2x20")
    assert "samples of 3x20 do not fit an input of 2x20, channels x length" in wrong.message
    texts = npz(tmp_path, x=numpy.full((6, 2, 20), "a"), y=labels(6))
    assert "not numbers" in refused(texts, input="2x20").message


# ---- length ----------------------------------------------------------------------------------


def test_longer_ones_are_cropped_at_random_in_training(tmp_path: Path) -> None:
    x = numpy.arange(30.0)[:, None, None] * 1000 + numpy.arange(50.0)
    data = npz(tmp_path, x=x, y=labels())
    found = opened(data, "evaluate { normalize none }", input="1x20")
    assert any("cropped to 20 steps" in line for line in found.dataset.lines())

    def starts(epoch: int) -> dict[int, float]:
        batches = found.training(batch=8)(epoch)
        return {
            int(index): float(one[0, 0] % 1000)
            for batch in batches
            for one, index in zip(batch.images, batch.indices, strict=True)
        }

    first, second = starts(0), starts(1)
    assert first == starts(0) != second
    assert len(set(first.values())) > 8
    assert min(first.values()) >= 0
    assert max(first.values()) <= 30
    (batch,) = found.evaluation("val")(0)
    assert (batch.images[:, 0, 0] % 1000 == 15).all()


def test_shorter_ones_need_padding_and_both_places_are_shown(tmp_path: Path) -> None:
    data = npz(tmp_path, x=series(6, 1, 18), y=labels(6))
    wrong = refused(data, input="1x20")
    assert wrong.message == "the series have 18 steps, and the network takes 20 steps"
    assert wrong.span is not None
    assert wrong.span.text.startswith("input 1x20")
    assert [label.message for label in wrong.labels] == ["series of 18 steps"]
    assert wrong.help == "write `input 1x18`, or `evaluate { pad zero }`"
    for words, ends in (("pad zero", 0.0), ("pad -2.5", -2.5)):
        evaluate = f"evaluate {{ {words}, normalize none }}"
        found = opened(data, evaluate, input="1x20")
        assert found.image("train", 0)[0, 18:].tolist() == [ends] * 2


@pytest.mark.parametrize(
    ("pad", "at", "expected"),
    [
        ("nearest", "both", [1, 1, 2, 3, 3, 3]),
        ("reflect", "end", [1, 2, 3, 2, 1, 2]),
        ("reflect", "start", [2, 1, 2, 3, 2, 1]),
        ("zero", "start", [0, 0, 0, 1, 2, 3]),
        (9.0, "both", [9, 1, 2, 3, 9, 9]),
    ],
)  # fmt: skip
def test_padding(pad: Any, at: str, expected: list[int]) -> None:
    fit = SampleFit((6,), pad, at)
    padded = fit(torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]), masks=1)
    if (pad, at) != ("reflect", "start"):
        assert padded[0].tolist() == expected
    assert (padded[1] == 255).sum() == 3
    assert fit(torch.tensor([[1, 2, 3]], dtype=torch.int16)).dtype == torch.int16


# ---- memory maps -----------------------------------------------------------------------------


def test_memory_maps_are_read_in_each_epoch_if_they_are_too_large(tmp_path: Path) -> None:
    x = series(40, 2, 20).astype(numpy.float64)
    x[3, 0, 0] = numpy.nan
    numpy.save(tmp_path / "x_train.npy", x.transpose(0, 2, 1))
    numpy.save(tmp_path / "y_train.npy", labels(40))
    data = f'npy "{tmp_path}" bad=5%'
    within, beyond = opened(data, input="2x20"), opened(data, input="2x20", budget=100)
    assert (within.where, beyond.where) == ("device", "files")
    assert within.dataset == beyond.dataset
    assert [each.name for each in beyond.dataset.bad] == ["x_train.npy#3"]
    assert within.preparation == beyond.preparation
    for one, two in zip(within.training()(1), beyond.training(batch=32)(1), strict=True):
        assert torch.equal(one.images, two.images)
        assert torch.equal(one.labels, two.labels)


# ---- text ------------------------------------------------------------------------------------


def test_text_of_the_archive(tmp_path: Path) -> None:
    lines = ["1.0000e+00\t1\t2\t3\t4", "-1\t4\t3\t2\t1", "1\t1\t1\t2\t2", "-1\t0\t0\t0\t1"]
    (tmp_path / "Toy_TRAIN.tsv").write_text("\n".join(lines))
    (tmp_path / "Toy_TEST.tsv").write_text(lines[0])
    found = opened(f'series "{tmp_path}"', "evaluate { normalize none }", input="1x4")
    assert found.dataset.classes == ("-1", "1")
    assert found.image("train", 1).tolist() == [[4, 3, 2, 1]]
    assert found.name("train", 1) == "Toy_TRAIN.tsv:2"
    assert [part.count for part in found.dataset.parts] == [4, 1]


def test_text_with_missing_numbers(tmp_path: Path) -> None:
    """As in the archive, series of different lengths have NaN at their ends."""
    file = tmp_path / "walks.csv"
    lines = ["class,a,b,c", "up,1,2,NaN", "down,3,,1", "up,1,2,3", "down,3,x,1", "down,2,1,0"]
    file.write_text("\n".join([*lines, *lines[3:4], *lines[5:]]))
    data = f'series "{file}" bad=50% val=50%'
    wrong = refused(data, input="1x3")
    assert wrong.message.startswith("1 of 5 series is shorter than the network takes")
    found = opened(data, "evaluate { pad zero }", input="1x3")
    bad = {each.name: each.reason for each in found.dataset.bad}
    assert bad == {
        "line 5 of walks.csv": "`x` is not a number",
        "walks.csv:3": "step 1 is NaN",
    }


# ---- sound -----------------------------------------------------------------------------------


def wav(samples: Any, rate: int = 8000, bits: int = 16, *, floating: bool = False) -> bytes:
    """A WAV file of samples from -1 to 1, length x channels."""
    wide, channels = bits // 8, samples.shape[1]
    if floating:
        body = samples.astype(f"<f{wide}").tobytes()
    elif bits == 8:
        body = (samples * 127 + 128).round().astype("u1").tobytes()
    else:
        whole = (samples * (2 ** (bits - 1) - 1)).round().astype("<i4")
        body = whole.view("u1").reshape(*whole.shape, 4)[..., :wide].tobytes()
    kind = 3 if floating else 1
    form = struct.pack(
        "<HHIIHH", kind, channels, rate, rate * wide * channels, wide * channels, bits
    )
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"LIST" + struct.pack("<I", 3) + b"abc\0"  # of an odd size, padded
    chunks += b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


@pytest.mark.parametrize(
    ("bits", "floating"),
    [(8, False), (16, False), (24, False), (32, False), (32, True), (64, True)],
)
def test_sound_of_all_depths(bits: int, floating: bool) -> None:
    samples = numpy.sin(numpy.arange(200.0)).reshape(100, 2)
    read = sound_in(wav(samples, 44100, bits, floating=floating))
    assert read.rate == 44100
    steps = 2.0 ** (1 - min(bits, 24))
    assert numpy.abs(read.samples.numpy().T - samples).max() < 2 * steps


def test_resampling_keeps_low_notes_and_takes_out_high_ones() -> None:
    def tone(hertz: float, rate: int) -> torch.Tensor:
        return torch.sin(2 * torch.pi * hertz * torch.arange(rate) / rate)[None].float()

    low = resampled(tone(440, 44100), 44100, 16000)
    assert low.shape == (1, 16000)
    inside = slice(500, -500)
    assert (low - tone(440, 16000))[:, inside].abs().max() < 2e-3
    assert resampled(tone(12000, 44100), 44100, 16000)[:, inside].abs().max() < 5e-3
    up = resampled(tone(440, 8000), 8000, 16000)
    assert (up - tone(440, 16000))[:, inside].abs().max() < 2e-3


def test_rates_with_nothing_in_common() -> None:
    """44,101 and 16,000 would need 16,000 filters of 44,195 numbers: 5 GB."""
    tone = torch.sin(2 * torch.pi * 440 * torch.arange(44101) / 44101)[None].float()
    low = resampled(tone, 44101, 16000)
    wanted = torch.sin(2 * torch.pi * 440 * torch.arange(16000) / 16000)[None].float()
    assert low.shape == wanted.shape
    assert (low - wanted)[:, 500:-500].abs().max() < 2e-3
    for rate in (1, 2**32 - 1):
        with pytest.raises(BadImage, match="cannot be brought to 100 Hz"):
            resampled(tone, rate, 100)


def clips(folder: Path, rates: tuple[int, ...] = (8000,)) -> None:
    for name in ("high", "low"):
        (folder / name).mkdir()
        for number in range(5):
            length = 100 + 10 * number
            hertz = 2000 if name == "high" else 200
            tone = numpy.sin(numpy.arange(length) * hertz * 2 * numpy.pi / 8000)[:, None]
            rate = rates[number % len(rates)]
            (folder / name / f"{number}.wav").write_bytes(wav(tone, rate))


def test_folders_of_sound(tmp_path: Path) -> None:
    clips(tmp_path)
    (tmp_path / "low" / "broken.wav").write_bytes(b"RIFF")
    data = f'folder "{tmp_path}" bad=20%'
    found = opened(data, "evaluate { pad zero }", input="1x120")
    assert found.dataset.classes == ("high", "low")
    assert found.preparation.rate == 8000
    said = list(found.dataset.lines())
    assert "clips: 8 for training, 2 for validation" in said
    assert "sound of 8,000 Hz" in said
    assert any("cropped to 120 steps (0.015 s)" in line for line in said)
    assert [each.reason for each in found.dataset.bad] == ["it is not a WAV file"]
    for batch in found.training()(0):
        assert batch.images.shape[1:] == (1, 120)


def test_sample_rates_must_agree(tmp_path: Path) -> None:
    clips(tmp_path, (8000, 16000))
    wrong = refused(f'folder "{tmp_path}"', "evaluate { pad zero }", input="1x120")
    assert wrong.message.endswith("have 2 sample rates")
    assert [note.partition(",")[0] for note in wrong.notes] == ["8", "16"]
    assert wrong.help == "write `rate=8000` to bring all of them to one"
    found = opened(f'folder "{tmp_path}" rate=8000', "evaluate { pad zero }", input="1x120")
    assert found.preparation.rate == 8000
    assert found.stores["train"].source.reader.read(0).shape == (1, 100)
    assert {found.stores["train"].source.reader.read(i).shape[1] for i in range(10)} == {
        100, 55, 120, 65, 140,
    }  # fmt: skip


def test_a_table_of_sound(tmp_path: Path) -> None:
    clips(tmp_path)
    rows = [f"{kind}/{number}.wav,{kind},{number / 2}" for kind in ("high", "low")
            for number in range(5)]  # fmt: skip
    (tmp_path / "clips.csv").write_text("\n".join(["file,sort,age", *rows, "low/9.wav,low,3"]))
    data = f'table "{tmp_path / "clips.csv"}" bad=20%'
    found = opened(f"{data} label=sort", input="1x90")
    assert found.dataset.classes == ("high", "low")
    assert [each.reason for each in found.dataset.bad] == ["there is no clip low/9.wav"]
    ages = opened(f"{data} label=age", input="1x90")
    assert ages.task.numbers


# ---- what is written about them ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("evaluate { resize 20 }", "only images are resized like this"),
        ("evaluate { crop 20 }", "only images are cropped like this"),
        ("evaluate { normalize imagenet }", "`imagenet` has the values of images"),
        ("", "`channels_last` is for images"),
    ],
)
def test_words_of_images_are_refused(words: str, message: str) -> None:
    with pytest.raises(SpecError) as wrong:
        planned("digits" if words else "digits, channels_last on", words, input="1x20")
    assert wrong.value.diagnostics[0].message == message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("evaluate { pad zero }", "`pad` is for series and scans"),
        ("evaluate { normalize each }", "`each` is for series and scans"),
    ],
)
def test_words_of_series_are_refused_for_images(words: str, message: str) -> None:
    with pytest.raises(SpecError) as wrong:
        planned("digits", words, input="1x8x8")
    assert wrong.value.diagnostics[0].message == message


def test_sound_that_is_cut_short() -> None:
    """The file has less than it says; a size that was left open is that of the file."""
    whole = wav(numpy.linspace(-1, 1, 1000)[:, None])
    with pytest.raises(BadImage, match=r"cut short: its samples have 9\d\d of 2,000 bytes"):
        sound_in(whole[:1000])
    place = whole.index(b"data") + 4
    for size in (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f"):
        opened = whole[:place] + size + whole[place + 4 :]
        assert sound_in(opened).samples.shape == (1, 1000)
