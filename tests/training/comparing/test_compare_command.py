"""`cnn compare` from end to end: small runs whose answers are written by hand, and real ones."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest

from dotcnn.cli import main
from dotcnn.training.answers.answers_file import read_answers, write_answers
from dotcnn.training.answers.kept_answers import KeptAnswers, OutputAnswers, identities

from ..small import trained
from ..trained import small_run

Run = Callable[..., Path]

CLASSES = ("cat", "dog", "fox")


def answers(
    wrong: Sequence[int], count: int, names: Sequence[str], seed: int | None = 1
) -> KeptAnswers:
    """Of images whose class is their number modulo 3, of which some are taken for the next one."""
    label = numpy.arange(count) % 3
    predicted = label.copy()
    predicted[list(wrong)] = (predicted[list(wrong)] + 1) % 3
    right = (predicted == label).astype("u1")
    arrays = {
        "label": label.astype("u1"),
        "best": numpy.stack([predicted, (predicted + 1) % 3], 1).astype("u1"),
        "shares": numpy.tile([0.875, 0.125], (count, 1)).astype("f2"),
        "loss": numpy.where(right, 0.1, 2.0).astype("f4"),
        "rank": 1 - right,
    }
    one = OutputAnswers("", "classification", CLASSES, numpy.arange(count), arrays)
    return KeptAnswers("val", "image", 1, count, identities(names), tuple(names), (one,))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Makes a run folder from that of a small network: its results are those of its answers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "110")

    def make(
        name: str,
        wrong: Sequence[int] = (),
        *,
        count: int = 60,
        names: Sequence[str] = (),
        seed: int = 0,
        lr: float = 0.01,
        kept: bool = True,
        **record: Any,
    ) -> Path:
        folder = tmp_path / name
        shutil.copytree(small_run(), folder)
        for path in folder.glob("answers-*"):
            path.unlink()
        names = names or [f"{number:02}.png" for number in range(count)]
        plan = json.loads((folder / "plan.json").read_text())
        text = json.dumps(plan).replace('"lr": 0.01', f'"lr": {lr}')
        plan = json.loads(text)
        plan["train"]["seed"]["value"] = seed
        (folder / "plan.json").write_text(json.dumps(plan))
        data = json.loads((folder / "record.json").read_text())
        data["seed"] = seed
        data["dataset"] |= {"classes": list(CLASSES), "name": "pets"}
        data["result"] |= {
            "best_epoch": 1, "seconds": 2.5, "per_class": {},
            "val": {"loss": 0.5, "top1": 1 - len(wrong) / count},
        }  # fmt: skip
        del data["result"]["test"]
        (folder / "record.json").write_text(json.dumps(data | record))
        if kept:
            write_answers(folder, answers(wrong, count, names))
        return folder

    return make


def compare(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[str, str]:
    assert main(["compare", *map(str, arguments)]) == 0
    return capsys.readouterr()


def as_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    return dict(json.loads(compare(capsys, *arguments, "--format", "json")[0]))


# ---- two runs ----------------------------------------------------------------------------------


def test_two_runs(run: Run, capsys: pytest.CaptureFixture[str], golden: Any) -> None:
    """3 images are right in the first alone, 12 in the second alone: p is 2 * 576 / 2**15."""
    run("a", range(12)), run("b", range(20, 23), lr=0.05)
    text, said = compare(capsys, "a", "b")
    assert said == ""
    golden("report/compare-two.txt", text)


def test_the_figures_of_two_runs(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("a", range(12)), run("b", range(20, 23), lr=0.05)
    data = as_json(capsys, "a", "b")
    (by_metric,) = data["by_metric"]
    against = by_metric["runs"][1]["against_first"]
    assert against["p"] == pytest.approx(2 * 576 / 2**15)
    assert (against["only_first"], against["only_this"]) == (3, 12)
    assert against["difference"] == pytest.approx(9 / 60)
    assert data["images"] == 60
    images = data["changes"][0]["by_metric"][0]["images"]
    assert (images["only_first"], images["only_this"]) == (3, 12)
    assert images["only_first_shown"][0]["other"].startswith(("cat", "dog", "fox"))


def test_a_table_for_spreadsheets(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("a, or 1", range(12)), run("b", range(20, 23), lr=0.05)
    first, second = csv.DictReader(
        compare(capsys, "a, or 1", "b", "--format", "csv")[0].split("\n")
    )
    assert (first["run"], first["value"], first["p"]) == ("a, or 1", "0.8", "")
    assert float(second["p"]) == pytest.approx(2 * 576 / 2**15)
    assert float(second["difference"]) == pytest.approx(0.15)


def test_a_difference_that_is_chance(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("a", [1, 2, 3]), run("b", [4, 5], lr=0.05)
    text, _ = compare(capsys, "a", "b")
    assert "b and a cannot be told apart: top1 differs by 1.67 points" in text
    assert "nearly always" in text


def test_runs_that_answer_the_same(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("a", [1]), run("b", [1], lr=0.05)
    assert "b and a are equally good: top1 98.33 %" in compare(capsys, "a", "b")[0]


def test_the_worse_one_is_named(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("a"), run("b", range(20), lr=0.05)
    assert "a is better than b by 33.33 points" in compare(capsys, "a", "b")[0]


def test_a_metric_of_ones_own(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("a", range(12)), run("b", range(3), lr=0.05)
    text, _ = compare(capsys, "a", "b", "--metric", "loss")
    assert "b is better than a by 0.2850 loss" in text
    assert main(["compare", "a", "b", "--metric", "f2"]) == 1
    assert "no run has measured `f2`; they have loss and top1" in capsys.readouterr().err


# ---- which images ------------------------------------------------------------------------------


def test_other_images_are_not_tested(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("a", [1]), run("b", [1], names=[f"{number:02}.png" for number in range(30, 90)], lr=0.05)
    text, _ = compare(capsys, "a", "b")
    assert "cannot be tested: their validation sets differ: 30 of 60 images are in both" in text
    assert "cannot be told apart" not in text


def test_numbered_images_of_other_data(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Their labels say whether they are others; a file may just have another name."""
    names = [f"#{number}" for number in range(60)]
    run("a", [1], names=names)
    folder = run("b", [2], names=names, lr=0.05)
    record = json.loads((folder / "record.json").read_text())
    record["dataset"]["name"] = "toys"
    (folder / "record.json").write_text(json.dumps(record))
    assert "are equally good" in compare(capsys, "a", "b")[0]
    kept = read_answers(folder, "val")
    arrays = dict(kept.outputs[0].arrays)
    arrays["label"] = numpy.roll(arrays["label"], 1)
    write_answers(folder, replace(kept, outputs=(replace(kept.outputs[0], arrays=arrays),)))
    text = " ".join(compare(capsys, "a", "b")[0].split())
    assert "the labels of 60 of 60 images differ" in text
    assert "(data: pets and toys)" in text


def test_numbered_images_without_labels(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"#{number}" for number in range(60)]
    for place, data in enumerate(("pets", "toys")):
        folder = run(data, lr=0.05 + place, names=names)
        record = json.loads((folder / "record.json").read_text())
        record["dataset"] |= {"name": data, "task": "segmentation"}
        (folder / "record.json").write_text(json.dumps(record))
        scores = {"score": numpy.linspace(0.2, 0.8, 60, dtype="f4") + 0.1 * place}
        masks = OutputAnswers("", "segmentation", CLASSES, numpy.arange(60), scores)
        write_answers(folder, replace(answers([], 60, names), outputs=(masks,)))
    text, _ = compare(capsys, "pets", "toys")
    assert "they were measured on different data: pets and toys" in text


# ---- seeds -------------------------------------------------------------------------------------


def test_seeds_are_one_line(run: Run, capsys: pytest.CaptureFixture[str], golden: Any) -> None:
    for seed, wrong in enumerate(([1, 2], [1, 2, 3], [4, 5, 6, 7])):
        run(f"a{seed}", wrong, seed=seed)
    for seed, wrong in enumerate(([1], [], [4])):
        run(f"b{seed}", wrong, seed=seed, lr=0.05)
    run("c", range(30), lr=0.5)
    text, _ = compare(capsys, "a0", "a1", "a2", "b0", "b1", "b2", "c")
    golden("report/compare-seeds.txt", text)
    alone, _ = compare(capsys, "a0", "a1", "b0", "--each-seed")
    assert "seeds)" not in alone


def test_seeds_by_hand(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Of 60 images, 1, 2 and 3 are wrong, and 4, 5 and 6: t is 3 / sqrt(2/3), with 4 degrees of
    freedom: p is 0.0213."""
    for seed in range(3):
        run(f"a{seed}", range(seed + 1), seed=seed)
        run(f"b{seed}", range(seed + 4), seed=seed, lr=0.05)
    data = as_json(capsys, "a0", "a1", "a2", "b0", "b1", "b2")
    against = data["by_metric"][0]["runs"][1]["against_first"]
    assert against["over"] == "seeds"
    assert against["p"] == pytest.approx(0.0213, abs=1e-4)
    assert data["by_metric"][0]["runs"][0]["deviation"] == pytest.approx(1 / 60)


def test_only_seeds_differ(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("a", [1], seed=1), run("b", [2, 3], seed=2)
    text, _ = compare(capsys, "a", "b")
    assert "they differ in nothing but their seed" in " ".join(text.split())
    assert "McNemar" in text


def test_many_comparisons_are_corrected(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("a", range(12))
    for place in range(4):
        run(f"b{place}", range(20, 23), lr=0.05 + place)
    data = as_json(capsys, "a", *(f"b{place}" for place in range(4)))
    against = [each["against_first"] for each in data["by_metric"][0]["runs"][1:]]
    assert [each["p_holm"] for each in against] == pytest.approx([4 * 576 / 2**14] * 4)
    assert any("Holm" in note for note in data["notes"])


def test_of_many_runs_one_sentence_is_said(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"r{place}" for place in range(8)]
    for place, name in enumerate(names):
        run(name, range(30 - 4 * place), lr=1.0 + place)
    text = " ".join(compare(capsys, *names)[0].split())
    assert "r7 has the best top1, 96.67 %: 46.67 points from r0" in text
    assert "Beside r0, 6 are better and 1 is not to be told apart from it." in text
    assert "only r0 has right 0 images" in text
    assert "run train.optimizer.lr" in text


# ---- runs without answers ----------------------------------------------------------------------


def test_a_run_without_answers_is_evaluated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    trained(one, set={"train.epochs": 1})
    shutil.copytree(one, other)
    plan = (other / "plan.json").read_text()
    (other / "plan.json").write_text(plan.replace('"lr": 0.005', '"lr": 0.006'))
    kept = read_answers(other, "val")
    (other / "answers-val.npz").unlink()
    text, said = compare(capsys, one, other, "--no-evaluate")
    assert "keeps no answers: it is compared without its images" in said
    assert "the answers of other are not known" in text
    text, said = compare(capsys, one, other)
    assert "keeps no answers: it is evaluated" in said
    assert "its answers are in answers-val.npz now" in said
    assert "are equally good" in text
    assert (read_answers(other, "val").outputs[0].predicted == kept.outputs[0].predicted).all()
    assert compare(capsys, one, other)[1] == ""


def test_answers_of_other_weights_do_not_count(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run("a", [1])
    folder = run("b", [1], lr=0.05)
    record = json.loads((folder / "record.json").read_text())
    record["result"]["best_epoch"] = 7
    (folder / "record.json").write_text(json.dumps(record))
    _, said = compare(capsys, "a", "b", "--no-evaluate")
    assert "keeps the answers of epoch 1, and its best one is 7 now" in said


def test_a_run_whose_data_is_gone(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("a", [1])
    folder = run("b", [1, 2], lr=0.05, kept=False)
    (folder / "best.safetensors").unlink()
    text, said = compare(capsys, "a", "b")
    assert "has no weights yet" in said
    assert "96.67 %" in text


# ---- wrong use ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["a"], 2, "two runs or more are compared; a is one"),
        (["a", "a"], 2, "two runs or more"),
        (["a", "nowhere"], 2, "nowhere does not exist"),
        (["a", "a/plan.json"], 2, "is a file, not a run folder"),
        (["a", "empty"], 2, "there are no runs in it"),
        (["a", "broken"], 1, "broken cannot be compared: record.json"),
        (["a", "b", "--part", "test"], 1, "none of these runs has a test set"),
    ],
)
def test_wrong_use(
    arguments: list[str], code: int, reason: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run("a", [1]), run("b", [2], lr=0.05)
    Path("empty").mkdir()
    run("broken")
    Path("broken/record.json").write_text("{")
    assert main(["compare", *arguments]) == code
    assert reason in capsys.readouterr().err


def test_other_questions_are_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("a", [1])
    folder = run("b", [1], lr=0.05, kept=False)
    record = json.loads((folder / "record.json").read_text())
    record["dataset"] |= {"task": "regression", "classes": ["age"]}
    (folder / "record.json").write_text(json.dumps(record))
    assert main(["compare", "a", "b", "--no-evaluate"]) == 1
    error = capsys.readouterr().err
    assert "a answers with one of 3 classes (cat, dog and fox), b with numbers: age" in error


@pytest.mark.slow
def test_too_many_runs(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"r{place:02}" for place in range(21)]
    for place, name in enumerate(names):
        run(name, [1], lr=1.0 + place)
    assert main(["compare", *names]) == 2
    assert "at most 20" in capsys.readouterr().err


def test_a_folder_of_runs(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("runs/a", [1]), run("runs/b", [2], lr=0.05)
    assert len(as_json(capsys, "runs")["runs"]) == 2


def test_trials_of_a_sweep_say_what_they_are(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Their folders are numbers, which cannot be told from figures in a sentence."""
    for number in (0, 1):
        run(f"s/trials/{number}", range(5 + 9 * number), lr=0.01 + 0.1 * number)
    Path("s/sweep.json").write_text("{}")
    text, _ = compare(capsys, "s/trials/0", "s/trials/1")
    assert "trial 0 is better than trial 1" in text or "trial 1 and trial 0" in text


def test_the_page_is_there_before_the_text(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who pipes the text into `head` has the page, too."""
    one, two = run("one", range(5)), run("two", range(9), lr=0.1)

    def broken(*_: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr("dotcnn.training.comparing.comparison_text.comparison_text", broken)
    with pytest.raises(ZeroDivisionError):
        main(["compare", str(one), str(two), "--no-evaluate", "-o", "page.html"])
    assert Path("page.html").exists()
