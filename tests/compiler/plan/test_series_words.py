"""Words of `augment` and `evaluate` for series, spectrograms and scans: what fits, and what is told
to whoever writes something else."""

from __future__ import annotations

import pytest

import dotcnn
from dotcnn.compiler.plan import TrainPlan, describe, plan
from dotcnn.compiler.plan.directive import SERIES
from dotcnn.compiler.plan.fusion import fuse
from dotcnn.compiler.report.explain.augment import explain_augment
from dotcnn.dsl.diagnostics import Diagnostic
from dotcnn.dsl.render import render_text
from networks import network

GOOD = {
    "augment": {
        "flip": ["flip time", "flip sign p=20%", "flip both"],
        "shift": ["shift 10%", "shift steps=-3..5 fill=mirror", "shift ms=20 rate=8000"],
        "scale": ["scale 0.8..1.2", "scale db=6"],
        "gain": ["gain 10%"],
        "noise": ["noise 5%", "noise 0..0.3 p=50%", "noise snr=10..30"],
        "stretch": ["stretch 0.9..1.1", "stretch 10% fill=zero"],
        "crop": ["crop scale=80%..100%"],
        "mask": ["mask time=10%", "mask time=5%..20% n=2 fill=zero"],
    },
    "evaluate": {
        "mel": ["mel 64", "mel bands=40 rate=8000 formula=slaney norm=area frequencies=20..4000"],
        "spectrogram": ["spectrogram", "spectrogram window=256 hop=80 fft=512 scale=log pad=none"],
    },
}


def spec(augment: str = "", evaluate: str = "", input: str = "1x16000") -> str:
    axes = input.count("x")
    kernel = "x".join("3" * axes)
    return (
        f"network Net {{ input {input}\n  conv 4 {kernel} same, relu, pool avg global, flatten"
        f'\n  fc 5 }}\ntrain {{ data npz "x.npz" }}\naugment {{ {augment} }}\n'
        f"evaluate {{ {evaluate} }}\n"
    )


def errors(text: str) -> list[Diagnostic]:
    return [one for one in dotcnn.check(text) if one.severity == "error"]


def told(*given: str, **named: str) -> tuple[str, str]:
    """The message and the help of the one error."""
    (error,) = errors(spec(*given, **named))
    return error.message, error.help


def planned(text: str) -> TrainPlan:
    return plan(network(text), needs_data=False)


def input_for(line: str) -> str:
    """The input that fits a spectrogram."""
    rows = planned(spec("", line, _any(line))).evaluate.spectrogram
    assert rows is not None
    return f"1x{rows.rows}x101"


def _any(line: str) -> str:
    rows = {"mel 64": 64, "spectrogram": 201}.get(line, 40 if "40" in line else 257)
    return f"1x{rows}x101"


def test_every_word_is_tried() -> None:
    assert {section: set(kinds) for section, kinds in SERIES.items()} == {
        section: set(lines) for section, lines in GOOD.items()
    }


@pytest.mark.parametrize("line", [line for lines in GOOD["augment"].values() for line in lines])
def test_what_is_written_is_planned_printed_and_saved(line: str) -> None:
    made = planned(spec(line))
    text = spec()
    head = text[: text.index("augment")]
    assert planned(head + "\n".join(describe(made, "augment"))).augment == made.augment
    assert TrainPlan.from_json(made.to_json()) == made


@pytest.mark.parametrize("line", [line for lines in GOOD["evaluate"].values() for line in lines])
def test_a_spectrogram_is_planned_printed_and_saved(line: str) -> None:
    made = planned(spec("noise 5%, mask frequency=10%", line, input_for(line)))
    spectrogram = made.evaluate.spectrogram
    assert spectrogram is not None
    assert spectrogram.frames(made.sample[1]) == 101
    again = spec("noise 5%, mask frequency=10%", str(spectrogram), input_for(line))
    assert planned(again).evaluate.spectrogram == spectrogram
    assert TrainPlan.from_json(made.to_json()) == made


@pytest.mark.parametrize("kind", [*SERIES["augment"].values()], ids=lambda kind: kind.word)
def test_examples_are_valid(kind: type) -> None:
    assert errors(spec(kind.shown())) == []  # type: ignore[attr-defined]


# ---- words of images, and the reverse ----------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "instead"),
    [("erase", "mask time=10%"), ("color brightness=0.2", "scale 0.8..1.2"), ("rotate 20", "")],
)
def test_words_of_images_name_the_right_one(written: str, instead: str) -> None:
    message, help = told(written)
    assert message.endswith("works on images, and samples are series")
    assert help.startswith(f"write `{instead}`" if instead else "take it out")
    (error,) = errors(spec(written))
    assert [edit.text for edit in error.edits] == [instead]


def test_words_of_series_are_not_for_images() -> None:
    (error,) = errors(spec("mask time=10%", input="3x32x32"))
    assert error.code == "unknown-directive"
    assert error.help == "it is for series; images have `erase`"
    (error,) = errors(spec("TimeMasking", input="3x32x32"))
    assert error.help.startswith("it is for series, where it is written `mask time=10%`")


@pytest.mark.parametrize(
    ("written", "help"),
    [
        ("TimeMask", "`mask time=10%`"),
        ("SpecAugment", "`mask time=10% frequency=10%`"),
        ("TimeStretch", "`stretch 0.9..1.1`"),
        ("AddGaussianNoise", "`noise`"),
        ("AddGaussianSNR", "`noise snr=10..30`"),
        ("Jitter", "`noise`"),
        ("PolarityInversion", "`flip sign`"),
        ("Gain", "`scale db=6`"),
        ("MagnitudeWarp", "`scale 0.8..1.2`"),
        ("PitchShift", "`stretch 0.9..1.1`"),
        ("LowPassFilter", "`mask frequency=10%`"),
    ],
)
def test_words_of_other_tools_lead_here(written: str, help: str) -> None:
    assert help in told(written)[1]


def test_frequencies_are_masked_in_spectrograms() -> None:
    assert told("FrequencyMasking", "mel 64", "1x64x101")[1] == (
        "in a spec it is written `mask frequency=10%`"
    )


def test_calls_of_other_tools_are_translated() -> None:
    (error,) = errors(spec("\n  Gain(min_gain_in_db=-6)\n"))
    assert "`scale" in error.help
    (error,) = errors(spec("\n  TimeMask(p=0.5)\n"))
    assert error.help == "write `mask p=0.5 time=10%`"


def test_a_series_has_no_frequencies() -> None:
    message, help = told("mask frequency=5%")
    assert message == "a series has no frequencies: its spectrogram has"
    assert "mel 64" in help


def test_milliseconds_need_a_rate() -> None:
    assert told("shift ms=20")[1].startswith("write `rate=16000`")
    assert errors(spec("shift ms=20", "mel 64", "1x64x101")) == []
    (shift,) = planned(spec("shift ms=20", "mel 64 rate=8000", "1x64x101")).augment
    assert str(shift) == "shift ms=-20..20 rate=8000 p=100% fill=circular"


def test_series_are_changed_before_their_spectrograms() -> None:
    message, help = told("mask time=10%, noise 5%", "mel 64", "1x64x101")
    assert "before it their spectrograms" in message
    assert help == "write `mask` after it"
    assert errors(spec("mask time=10%, noise 5%")) == []


# ---- spectrograms ----------------------------------------------------------------------------


def test_the_input_must_be_what_is_computed() -> None:
    (error,) = errors(spec("", "mel 64", "1x40x101"))
    text = render_text([error])
    assert "`mel` makes 1x64x101 of 1x16000, which the network does not take" in text
    assert "the input is 1x40x101" in text
    assert error.help == "write `input 1x64x101`, or `mel 40`"
    assert told("", "mel 64 length=8000", "1x64x101")[1] == "write `input 1x64x51`"
    assert "write `input 1x201x101`" in told("", "spectrogram", "1x64x101")[1]
    assert told("", "mel 64", "784")[1] == "write `input 1x64x101`" or errors(
        spec("", "mel 64", "784")
    )


def test_the_help_works_when_followed() -> None:
    text = spec("", "mel 64", "1x40x101")
    (error,) = errors(text)
    (edit,) = error.edits
    mended = text[: edit.span.start] + edit.text + text[edit.span.end :]
    assert errors(mended) == []


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("mel 64 window=400 fft=256", "does not fit into a transform"),
        ("mel 64 rate=8000 frequencies=0..8000", "0 to 4000 Hz"),
        ("mel 64 scale=power top=80", "decibels"),
        ("mel 64, spectrogram", "computed twice"),
        ("mel 64 length=100", "cannot be reflected"),
        ("mel 64 length=100 pad=none", "no window"),
        ("mel 64, resize 32", "only images"),
    ],
)
def test_what_cannot_be_computed(line: str, part: str) -> None:
    assert any(part in error.message for error in errors(spec("", line, "1x64x101")))


def test_empty_bands_are_warned_of() -> None:
    found = dotcnn.check(spec("", "mel 64 window=256", "1x64x101"))
    (warning,) = [one for one in found if one.code == "empty-bands"]
    assert warning.help == "write `fft=512`, or fewer bands"
    found = dotcnn.check(spec("", "mel 64 window=256 fft=512", "1x64x101"))
    assert "empty-bands" not in [one.code for one in found]


def test_bands_may_be_the_channels() -> None:
    assert planned(spec("", "mel 64", "64x101")).sample == (1, 16000)
    assert planned(spec("", "mel 64", "128x101")).sample == (2, 16000)
    assert planned(spec("", "mel 64 pad=none", "2x64x98")).sample == (2, 15920)


# ---- scans -----------------------------------------------------------------------------------


def test_scans_have_some_of_the_words() -> None:
    lines = "flip horizontal, flip slices, flip all, flip sign, scale 0.2, noise 5%, mixup"
    assert errors(spec(lines, input="1x8x16x16")) == []
    assert told("flip time", input="1x8x16x16")[0] == "scans have no `time` that can be reversed"
    assert told("flip horizontal") == (
        "series have no `horizontal` that can be reversed",
        "write one of `time`, `sign`, `both`",
    )
    assert told("stretch 0.9..1.1", input="1x8x16x16")[0] == "`stretch` does not work on scans"
    assert "samples are scans" in told("erase", input="1x8x16x16")[0]


# ---- explained -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("augment", "evaluate", "input", "parts"),
    [
        ("noise 5%, mask time=10%, mixup", "mel 64", "1x64x101",
         ["3 directives in 3 passes, for a whole batch at once; series are 1x16000",
          "Then `mel 64` computes the spectrogram, 1x64x101; what follows changes that."]),
        ("noise 5%", "mel 64", "1x64x101", ["Then `mel 64` computes the spectrogram, 1x64x101."]),
        ("flip all, mixup", "", "1x8x16x16",
         ["scans are 1x8x16x16", "scans are mixed", "Per scan"]),
        ("shift 10%", "", "2x50", ["series are 2x50", "series are moved along time", "Per series"]),
    ],
)  # fmt: skip
def test_passes_are_explained(augment: str, evaluate: str, input: str, parts: list[str]) -> None:
    lines = explain_augment(fuse(planned(spec(augment, evaluate, input))))
    text = " ".join(" ".join(lines).split())
    assert [part for part in parts if part not in text] == []
    assert "image" not in text
