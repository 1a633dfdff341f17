"""The answers that a run keeps of every image: what is in them, how large they are, and that a file
of somebody else is checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
import torch

import dotcnn
from dotcnn.cli import main
from dotcnn.training.answers import collect
from dotcnn.training.answers.answers_file import answers_name, read_answers, write_answers
from dotcnn.training.answers.collect import collected
from dotcnn.training.answers.kept_answers import KeptAnswers, OutputAnswers, identities
from dotcnn.training.inference.evaluate import assess, data_of
from dotcnn.training.inference.trained_model import open_run
from dotcnn.training.metrics.outcome import Outcome
from dotcnn.training.untrusted.bad_file import BadFile

from ..small import trained
from ..trained import small_run


def small(part: str = "val") -> KeptAnswers:
    return read_answers(small_run(), part)


# ---- what a run keeps --------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_run_keeps_its_answers(part: str) -> None:
    folder = small_run()
    kept = small(part)
    record = json.loads((folder / "record.json").read_text())
    metrics = record["result"]["val" if part == "val" else "test"]
    (output,) = kept.outputs
    assert (kept.part, kept.noun, kept.epoch) == (part, "image", record["result"]["best_epoch"])
    right = output.predicted == output.arrays["label"]
    assert right.mean() == pytest.approx(metrics["top1"], abs=1e-6)
    assert (output.arrays["rank"] < 5).mean() == pytest.approx(metrics["top5"], abs=1e-6)
    assert output.arrays["loss"].mean() == pytest.approx(metrics["loss"], rel=1e-4)
    assert (right == (output.arrays["rank"] == 0)).all()
    assert len(set(kept.ids.tolist())) == kept.images == len(kept.names)


def test_an_evaluation_renews_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    trained(folder, set={"train.epochs": 1})
    before = read_answers(folder, "val")
    path = folder / answers_name("val")
    path.unlink()
    assert main(["evaluate", str(folder), "--set", "train.batch=64"]) == 0
    assert not path.exists()  # of a run that was changed, nothing is kept
    assert main(["evaluate", str(folder)]) == 0
    after = read_answers(folder, "val")
    assert (after.ids == before.ids).all()
    assert (after.outputs[0].predicted == before.outputs[0].predicted).all()
    capsys.readouterr()


# ---- what is kept of each kind of answer -------------------------------------------------------


def kept_of(task: str, answers: torch.Tensor, labels: torch.Tensor, classes: int) -> OutputAnswers:
    outcome = Outcome("val", {}, {}, torch.zeros(0, 0), answers, labels)
    names = tuple(f"c{number}" for number in range(classes))
    one = collect._Output("", task, names, (), outcome)
    return collect._kept(one, numpy.arange(len(labels)), len(labels))


def test_tags() -> None:
    labels = torch.tensor([[1.0, 0.0], [torch.nan, 1.0]])
    kept = kept_of("multi_label", torch.tensor([[0.75, 0.0], [0.5, 1.0]]), labels, 2).arrays
    assert kept["present"].tolist() == [[1, 0], [255, 1]]
    assert kept["logits"][0, 0] == pytest.approx(1.0986, abs=1e-3)
    assert numpy.isfinite(kept["logits"]).all()


def test_equally_probable_classes_are_ranked_as_they_are_predicted() -> None:
    shares = torch.full((1, 8), 1 / 8)
    kept = kept_of("classification", shares, torch.tensor([7]), 8).arrays
    assert kept["rank"][0] >= 1 or kept["best"][0, 0] == 7


def test_what_would_be_too_large_is_a_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "MOST_NUMBERS", 3)
    labels = torch.tensor([[1.0, 0.0], [torch.nan, 1.0]])
    tags = kept_of("multi_label", torch.tensor([[0.75, 0.0], [0.5, 0.2]]), labels, 2)
    assert tags.arrays["exact"].tolist() == [1, 0]
    numbers = kept_of("regression", torch.tensor([[1.0, 2.0], [3.0, 5.0]]), labels, 2)
    assert numbers.arrays["error"].tolist() == [1.0, 4.0]


def test_of_very_many_images_the_same_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "MOST_IMAGES", 20)
    model = open_run(small_run(), dotcnn.__version__, device=torch.device("cpu"))
    data = data_of(model)
    kept = collected(assess(model, data), data, 1)
    whole = small()
    assert kept.images == whole.images
    assert sorted(kept.ids.tolist()) == sorted(whole.ids.tolist())[:20]
    places = [whole.ids.tolist().index(one) for one in kept.ids.tolist()]
    assert places == sorted(places)
    assert (kept.outputs[0].predicted == whole.outputs[0].predicted[places]).all()


def test_long_names_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "MOST_NAMES", 20)
    model = open_run(small_run(), dotcnn.__version__, device=torch.device("cpu"))
    data = data_of(model)
    kept = collected(assess(model, data), data, 1)
    assert kept.names == ()
    assert kept.name(3) == "#3"


@pytest.mark.slow
def test_fifty_thousand_images_of_a_thousand_classes_take_little(tmp_path: Path) -> None:
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(50_000, 1_000, generator=random)
    labels = torch.randint(0, 1_000, (50_000,), generator=random)
    output = kept_of("classification", logits.softmax(1), labels, 1_000)
    names = tuple(f"n{number:08}/ILSVRC2012_val_{number:08}.JPEG" for number in range(50_000))
    answers = KeptAnswers(
        "val", "image", 1, 50_000, identities(names), names, (output,)
    )  # fmt: skip
    assert write_answers(tmp_path, answers).stat().st_size < 3 * 2**20


# ---- the file ----------------------------------------------------------------------------------


def output(task: str = "segmentation", **arrays: numpy.ndarray) -> OutputAnswers:
    return OutputAnswers("", task, ("a", "b"), numpy.arange(3), arrays)


def answers(*outputs: OutputAnswers) -> KeptAnswers:
    names = ("ä.png", 'b"\n.png', "\udc80.png")
    return KeptAnswers("val", "image", 4, 3, identities(names), names, outputs)


SCORES = numpy.array([0.5, numpy.nan, 1.0], dtype=numpy.float32)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    tags = replace(
        output("multi_label", logits=numpy.zeros((2, 2), "f2"), present=numpy.ones((2, 2), "u1")),
        name="tags",
        rows=numpy.array([0, 2]),
        thresholds=(0.25, 0.5),
    )
    write_answers(tmp_path, answers(output(score=SCORES), tags))
    read = read_answers(tmp_path, "val")
    assert read.names == answers().names
    assert read.outputs[1].rows.tolist() == [0, 2]
    assert read.outputs[1].thresholds == (0.25, 0.5)
    assert numpy.array_equal(read.outputs[0].arrays["score"], SCORES, equal_nan=True)


def one_class(best: list[list[int]], label: list[int]) -> OutputAnswers:
    return output(
        "classification",
        best=numpy.array(best, "u1"), label=numpy.array(label, "u1"),
        shares=numpy.zeros((3, len(best[0])), "f2"), loss=SCORES, rank=numpy.zeros(3, "u1"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda: answers(output(score=SCORES[:2])), "not as long"),
        (lambda: answers(output(score=numpy.zeros(3, "i4"))), "not of the expected form"),
        (lambda: answers(output("segmentation")), "missing"),
        (lambda: answers(output("poetry", score=SCORES)), "not known"),
        (lambda: answers(), "no answers"),
        (lambda: answers(one_class([[0], [1], [9]], [0, 0, 0])), "no name"),
        (lambda: answers(one_class([[0], [1], [1]], [0, 0, 2])), "no name"),
        (lambda: answers(replace(output(score=SCORES), rows=numpy.array([0, 0]))), "rows"),
        (lambda: answers(replace(output(score=SCORES), rows=numpy.array([0, 9]))), "rows"),
        (lambda: answers(replace(output(score=SCORES), thresholds=(0.5,))), "thresholds"),
        (lambda: replace(answers(output(score=SCORES)), names=("a",)), "names"),
    ],
)
def test_files_of_others_are_checked(
    wrong: Callable[[], KeptAnswers], reason: str, tmp_path: Path
) -> None:
    write_answers(tmp_path, wrong())
    with pytest.raises(BadFile, match=reason):
        read_answers(tmp_path, "val")


def test_a_file_of_a_later_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dotcnn.training.answers.answers_file.FORMAT", 2)
    write_answers(tmp_path, answers(output(score=SCORES)))
    monkeypatch.undo()
    with pytest.raises(BadFile, match="later version"):
        read_answers(tmp_path, "val")


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"hello", bytes(100)])
def test_what_is_not_such_a_file(content: bytes, tmp_path: Path) -> None:
    (tmp_path / answers_name("val")).write_bytes(content)
    with pytest.raises(BadFile):
        read_answers(tmp_path, "val")


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    (tmp_path / answers_name("val")).symlink_to(other)
    write_answers(tmp_path, answers(output(score=SCORES)))
    assert other.read_text() == "mine"
