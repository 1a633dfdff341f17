"""`cnn runs`: the table, its data, tags and notes, removal; and names of runs in other commands."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path

import pytest

import dotcnn
from commands import run
from dotcnn.training.checkpoint.run_lock import hold_lock
from dotcnn.training.runs.find_runs import find_runs
from dotcnn.training.runs.run_watch import Changes, Remembered, fitting

from .conftest import SPEC, Made, with_rate, with_seed

Capture = pytest.CaptureFixture[str]


def test_the_table(made: Made, capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    same = {"seconds": 61.0, "epochs": 2, "best_epoch": 1, "best": 0.5, "val": {"top1": 0.5}}
    about = {"device": "cpu", "result": same}
    made("net", **about)
    made("net-2", **about, plan=with_rate(0.1))
    made("net-3", **about, state="diverged")
    (Path("runs") / "net-3" / "record.json").write_text("{")
    result = run(capfd, "runs")
    assert (result.code, result.err) == (0, "")
    head, _, *lines = result.out.splitlines()
    assert head.split("  ") != []
    assert [line.split()[:9] for line in lines[:3]] == [
        ["net-3", "damaged"],
        ["net", "done", "1/2", "50.00", "%", "694", "1,216", "1:01"],
        ["net-2", "done", "1/2", "50.00", "%", "694", "1,216", "1:01", "lr=0.005→0.1"],
    ]
    assert lines[4] == "3 runs: 2 done, 1 damaged, on cpu"
    assert lines[5].startswith("net-3: record.json is damaged: line 1 is not JSON")


def test_curves(made: Made, capfd: Capture) -> None:
    made("net")
    assert run(capfd, "runs", "--curve", "loss", "-o", "loss.svg").err == "wrote loss.svg\n"
    drawn = Path("loss.svg").read_text()
    assert all(word in drawn for word in ("Loss, net", ">training<", ">validation<", ">epoch<"))
    made("net-2")
    assert run(capfd, "runs", "--curve", "top1", "-o", "top1.html").code == 0
    drawn = Path("top1.html").read_text()
    assert "Top-1 accuracy, validation" in drawn
    assert [drawn.count(f">{name}<") for name in ("net", "net-2", "training")] == [1, 1, 0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--curve", "top", "-o", "a.svg"], "no run has the metric top: did you mean `top5`?"),
        (["--curve", "miou", "-o", "a.svg"], "there are loss, top1, top5"),
        (["--curve", "loss"], "--curve METRIC and -o FILE belong together"),
        (["-o", "a.svg"], "--curve METRIC and -o FILE belong together"),
        (["--curve", "loss", "-o", "a.pdf"], "as .svg, .png or .html, not a.pdf"),
    ],
)
def test_curves_that_cannot_be_drawn(
    words: list[str], said: str, made: Made, capfd: Capture
) -> None:
    made("net")
    assert said in run(capfd, "runs", *words).err
    assert not Path("a.svg").exists()


def test_data(made: Made, capfd: Capture) -> None:
    made("net", top1=0.5)
    made("net-2", top1=0.75, plan=with_rate(0.1))
    data = json.loads(run(capfd, "runs", "--format", "json").out)["runs"]
    assert [each["name"] for each in data] == ["net", "net-2"]
    assert data[1]["metrics"]["top1"] == 0.75
    assert data[1]["parameters"] == {"width": 4}
    assert data[1]["differs"] == [{"name": "train.optimizer.lr", "before": "0.005", "now": "0.1"}]
    rows = list(csv.DictReader(io.StringIO(run(capfd, "runs", "--format", "csv").out)))
    assert [(row["name"], row["top1"], row["width"]) for row in rows] == [
        ("net", "0.5", "4"),
        ("net-2", "0.75", "4"),
    ]


def test_sorted_with_columns(made: Made, capfd: Capture) -> None:
    made("b", top1=0.5)
    made("a", top1=0.75)
    made("c", state="interrupted", result=None)
    (Path("runs") / "c" / "metrics.jsonl").unlink()

    def order(*words: str) -> list[str]:
        out = run(capfd, "runs", "--columns", "name,top1", "--format", "csv", *words).out
        return [line.split(",")[0] for line in out.splitlines()[1:]]

    assert order("--sort", "top1") == ["a", "b", "c"]
    assert order("--sort", "best") == ["a", "b", "c"]
    assert order("--sort", "top1", "--reverse") == ["b", "a", "c"]
    assert order("--sort", "loss")[-1] == "c"
    assert order("--sort", "name") == ["a", "b", "c"]
    result = run(capfd, "runs", "--sort", "tpo1")
    assert result.code == 1
    assert "did you mean `top1`?" in result.err


def test_seeds_are_one_line(made: Made, capfd: Capture) -> None:
    for seed, top1 in enumerate((0.5, 0.6, 0.7)):
        made(f"s{seed}", top1=top1, plan=with_seed(seed), seed=seed)
    out = run(capfd, "runs", "--seeds").out
    assert "s0 and 2 more seeds" in out
    assert "60.00 ± 10.00 %" in out
    (data,) = json.loads(run(capfd, "runs", "--seeds", "--format", "json").out)["runs"]
    assert data["seeds"] == [0, 1, 2]
    assert data["mean"]["top1"] == pytest.approx(0.6)
    assert data["deviation"]["top1"] == pytest.approx(0.1)


def test_no_runs(tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(capfd, "runs")
    assert (result.code, result.out) == (0, "")
    assert result.err == "cnn: there is no run in runs/ yet; `cnn train` makes one\n"
    assert run(capfd, "runs", "elsewhere").code == 1


def test_tags_and_notes(made: Made, capfd: Capture) -> None:
    folder = made("net")
    made("net-2", top1=0.99)
    assert run(capfd, "runs", "tag", "net", "good", "first").out == "net: good first\n"
    assert run(capfd, "runs", "tag", "--where", "top1 > 90%", "good").out == "net-2: good\n"
    assert run(capfd, "runs", "note", "net", "a  note: ü").out == "net: a  note: ü\n"
    assert run(capfd, "runs", "note", "first").out == "net: a  note: ü\n"  # by its tag
    assert run(capfd, "runs", "untag", "net", "good").out == "net: first\n"
    assert run(capfd, "runs", "untag", "net").out == "net: no tags\n"
    assert run(capfd, "runs", "note", "net", "").out == "net: no note\n"
    assert not (folder / "notes.json").exists()
    result = run(capfd, "runs", "tag", "good", "net")
    assert (result.code, result.err) == (0, "")  # net-2 has the tag
    result = run(capfd, "runs", "tag", "better", "net-2")
    assert result.code == 2
    assert "the run comes first: `cnn runs tag net-2 better`" in result.err
    assert run(capfd, "runs", "tag", "net", "two words").code == 2
    assert run(capfd, "runs", "tag").code == 2


def test_removing(made: Made, capfd: Capture) -> None:
    net, other = made("net"), made("other", top1=0.1)
    outside = Path("outside")
    outside.mkdir()
    (outside / "file").touch()
    (net / "link").symlink_to(outside.absolute())
    assert run(capfd, "runs", "rm", "net").code == 2  # there is no terminal to ask on
    assert net.exists()
    with hold_lock(other):
        result = run(capfd, "runs", "rm", "net", "other", "--yes")
    assert result.code == 1
    assert "runs/other is being trained by this very process" in result.err
    assert net.exists()
    (net / "step-1200.ckpt").touch()
    result = run(capfd, "runs", "rm", "net", "--keep-best", "--yes")
    assert result.code == 0
    assert not [*net.glob("*.ckpt")]
    assert (net / "best.safetensors").exists()
    result = run(capfd, "runs", "rm", "net", "--yes")
    assert (result.code, net.exists(), (outside / "file").exists()) == (0, False, True)
    assert result.out.splitlines()[-1].startswith("removed 1 run, ")
    assert run(capfd, "runs", "rm", "--where", "top1 < 50%", "--yes").code == 0
    assert not other.exists()


def test_what_is_not_removed(made: Made, capfd: Capture) -> None:
    net = made("vote")
    made("vote/1")
    Path("plain").mkdir()
    Path("link").symlink_to(net)
    for name, why in (
        ("plain", "is not a run folder"),
        ("link", "is a link"),
        ("runs/vote/1", "is part of runs/vote"),
        ("nothing", "there is no run `nothing`"),
    ):
        result = run(capfd, "runs", "rm", name, "--yes")
        assert result.code == 1
        assert why in result.err
    assert run(capfd, "runs", "rm", "--yes").code == 2
    assert (net / "1" / "record.json").exists()


def test_names_of_runs(made: Made, capfd: Capture) -> None:
    made("mine")
    made("mine-too")
    made("digits")  # the gallery has a spec of this name
    assert run(capfd, "report", "mine-too", "--format", "json").code == 0
    assert "Digits (digits)" in run(capfd, "report", "digits").out
    result = run(capfd, "evaluate", "min")
    assert result.code == 1
    assert "2 runs have a name like min…: mine, mine-too" in result.err
    assert run(capfd, "report", "min").code == 1  # a spec may be meant


def test_watching_shows_what_changes(made: Made) -> None:
    folder = made("net", state="interrupted")
    read, changes = Remembered(), Changes()
    runs = find_runs(Path("runs"), read)
    assert len(list(changes.lines(runs))) == 1
    again = find_runs(Path("runs"), read)
    assert again[0] is runs[0]  # its files are not read again
    assert list(changes.lines(again)) == []
    text = (folder / "record.json").read_text()
    (folder / "record.json").write_text(text.replace('"interrupted"', '"done"'))
    (line,) = changes.lines(find_runs(Path("runs"), read))
    assert line.startswith("net:  done  epoch 2/2")
    shutil.rmtree(folder)
    assert list(changes.lines(find_runs(Path("runs"), read))) == ["net: removed"]


def test_a_long_table_shows_its_end() -> None:
    lines = [str(number) for number in range(100)]
    assert fitting(lines, 200) == lines
    assert fitting(lines, 6) == ["0", "1", "..", "97", "98", "99"]


def test_watching_ends_when_told(made: Made, capfd: Capture) -> None:
    made("net")
    result = run(capfd, "runs", "--watch", "--until-done")
    assert (result.code, len(result.out.splitlines())) == (0, 1)


def test_tags_of_a_new_run_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "net.cnn").write_text(SPEC)
    os.chdir("project")
    dotcnn.train("net.cnn", device="cpu", quiet=True, tags=["a"], note="n", epochs=1)
    dotcnn.train(resume="runs/net", device="cpu", quiet=True, tags=["b"], epochs=2)
    (found,) = find_runs(Path("runs"))
    assert (found.tags, found.note, found.epochs) == (("a", "b"), "n", 2)
    os.chdir(tmp_path)
    Path("project").rename("moved")
    from dotcnn.training.saved_request import read_spec

    assert read_spec(Path("moved/runs/net")).base == tmp_path / "moved"
