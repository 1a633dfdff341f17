"""A run folder from somebody else: any contents give an error quickly, and never a crash."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dotcnn import __version__
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.training.checkpoint.run_files import read_epochs, read_transfer
from dotcnn.training.inference.trained_model import open_run
from dotcnn.training.page import history
from dotcnn.training.saved_request import read_record, request_of

from ..small import gone_on, trained

pytestmark = pytest.mark.usefixtures("no_report")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run"
    trained(path, set={"train.epochs": 1, "train.ema": 0.9, "train.log": "csv"})
    return path


@pytest.fixture
def run(done: Path, tmp_path: Path) -> Path:
    shutil.copytree(done, tmp_path / "run")
    return tmp_path / "run"


def refused(path: Path) -> Diagnostic:
    with pytest.raises(SpecError) as caught:
        gone_on(path, set={"train.epochs": 2})
    (found,) = caught.value.diagnostics
    return found


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def not_utf_8(path: Path) -> None:
    path.write_bytes(b"{\xff\xfe}")


def nested(path: Path) -> None:
    path.write_text('{"a":' * 10_000)


def many_digits(path: Path) -> None:
    path.write_text("9" * 5000)


def too_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)  # takes no room on the disk


EVIL = pytest.mark.parametrize(
    "write", [a_pipe, a_device, not_utf_8, nested, many_digits, too_large]
)


@EVIL
@pytest.mark.parametrize("name", ["plan.json", "record.json", "last.ckpt"])
def test_required_files_that_are_damaged(
    run: Path, name: str, write: Callable[[Path], None]
) -> None:
    (run / name).unlink()
    write(run / name)
    found = refused(run)
    assert found.code in ("no-run", "checkpoint")
    assert name in found.message


@EVIL
def test_optional_files_that_are_damaged(run: Path, write: Callable[[Path], None]) -> None:
    """What cannot be read of them is left out; a run goes on, and writes them anew."""
    for name in ("metrics.jsonl", "metrics.csv", "transfer.txt", "model.py"):
        (run / name).unlink(missing_ok=True)
        write(run / name)
    assert read_epochs(run) == []
    assert len(read_transfer(run)) < 100_000
    assert gone_on(run, set={"train.epochs": 2}).epochs == 2
    assert [record.epoch for record in history.epochs(run)] == [2]


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"base": 3}',
        '{"base": "a\\u0000b"}',
        '{"base": ".", "made_with": {"network": 3, "input": null, "classes": null, "set": []}}',
        '{"base": ".", "made_with": {"network": null, "input": [1.5], "classes": 3, "set": []}}',
        '{"base": ".", "made_with": {"network": null, "input": null, "classes": 1e999, "set": []}}',
        '{"base": ".", "made_with": {"network": null, "input": null, "classes": 3, "set": [3]}}',
    ],
)
def test_a_record_of_another_form(run: Path, text: str) -> None:
    (run / "record.json").write_text(text)
    with pytest.raises(SpecError, match=r"its record\.json"):
        read_record(run)
    with pytest.raises(SpecError, match="is not a run folder"):
        request_of(run)
    assert history.record(run) == {}


def test_what_is_wrong_with_a_record_is_said_in_words(run: Path) -> None:
    (run / "record.json").write_text("[]")
    with pytest.raises(SpecError, match=r"it is not the record of a run\n"):
        read_record(run)
    (run / "record.json").write_text('{"base": 3}')
    with pytest.raises(SpecError, match=r"`made_with` is missing, or not of the expected type"):
        read_record(run)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_named_pipe_in_place_of_the_weights(run: Path) -> None:
    (run / "best.safetensors").unlink()
    os.mkfifo(run / "best.safetensors")
    with pytest.raises(SpecError, match=r"is a named pipe, not a file"):
        open_run(run, __version__, device=torch.device("cpu"))


@pytest.mark.parametrize(
    "line",
    ["", "[]", '{"epoch": "a"}', '{"epoch": 1, "train": 3}', "nan", '{"epoch": {"a": []}}'],
)
def test_lines_of_metrics_of_another_form(run: Path, line: str) -> None:
    good = (run / "metrics.jsonl").read_text()
    (run / "metrics.jsonl").write_text(f"{line}\n{good}{line}")
    assert [record.epoch for record in history.epochs(run)] == [0, 1]


# ---- last.ckpt -------------------------------------------------------------------------------


def changed(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    state = torch.load(run / "last.ckpt", weights_only=True)
    change(state)
    torch.save(state, run / "last.ckpt")


@pytest.mark.parametrize("entry", ["plan", "spec", "seed", "world", "version"])
@pytest.mark.parametrize("value", ["text", 5.5, [3]])
def test_entries_that_only_tell_are_of_their_type_too(run: Path, entry: str, value: object) -> None:
    changed(run, lambda state: state.update({entry: value}))
    found = refused(run)
    assert found.code == "checkpoint"
    assert entry in found.message


@pytest.mark.parametrize(
    "entry",
    ["model", "optimizer", "scaler", "average", "position", "gauges", "random", "threads",
     "numbers", "network", "best", "plateau", "patience"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["missing", 5, "text", [3], {"a": 1}, {3: torch.ones(2)}])
def test_entries_missing_or_of_the_wrong_type(run: Path, entry: str, value: object) -> None:
    if (entry, value) in (("scaler", {"a": 1}), ("threads", 5)):
        return  # of that form
    changed(
        run, lambda state: state.pop(entry) if value == "missing" else state.update({entry: value})
    )
    found = refused(run)
    if (entry, value) == ("network", "text"):
        assert found.code == "another-spec"
        return
    assert found.code == "checkpoint"
    assert entry in found.message


def first_state(state: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = state["optimizer"]["state"][0]
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state["model"].popitem(),
        lambda state: state["model"].update(more=torch.ones(1)),
        lambda state: state["model"].update({"conv.weight": torch.ones(2**10)}),
        lambda state: state["average"]["weights"].popitem(),
        lambda state: state["random"][0].update(cpu=torch.ones(5)),
        lambda state: state["random"][0].update(cpu=torch.zeros(5056, dtype=torch.uint8)),
        lambda state: state["gauges"].clear(),
        lambda state: state["gauges"][0].update(sums=torch.ones(7)),
        lambda state: state["optimizer"]["state"].update({99: {}}),
        lambda state: state["optimizer"]["param_groups"].pop(),
        lambda state: first_state(state).pop("exp_avg"),
        lambda state: first_state(state).pop("step"),
        lambda state: first_state(state).update(exp_avg=torch.ones(3)),
        lambda state: first_state(state).update(exp_avg="a"),
        lambda state: state["position"].update(epoch=-1),
        lambda state: state["position"].update(seconds=float("nan")),
        lambda state: state.update(threads=10**9),
        lambda state: state.update(micro_batches=0),
        lambda state: state.update(micro_batches="a"),
        lambda state: state.update(lookahead=5),
        lambda state: state.update(best={"epoch": 1}),
        lambda state: state.update(still="../../secret"),
        lambda state: state.update(format=2),
    ],
)
def test_a_state_that_does_not_fit(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    changed(run, change)
    assert refused(run).code == "checkpoint"


def test_options_of_the_optimizer_are_those_of_the_plan(run: Path) -> None:
    """A checkpoint says what was gathered; what is done with it, the spec."""

    def change(state: dict[str, Any]) -> None:
        for group in state["optimizer"]["param_groups"]:
            group.update(lr="a", betas=None, eps=None, weight_decay=10**400)

    changed(run, change)
    assert gone_on(run, set={"train.epochs": 2}).epochs == 2


# ---- links that lead out of the folder -------------------------------------------------------


def test_nothing_outside_of_the_folder_is_written(run: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for name in ("record.json", "metrics.jsonl", "metrics.csv", "last.ckpt", "plan.json"):
        (run / f".{name}.partial").symlink_to(victim)
    for name in ("metrics.csv", "metrics.jsonl"):
        (run / name).unlink()
        (run / name).symlink_to(victim)
    assert gone_on(run, set={"train.epochs": 2}).epochs == 2
    assert victim.read_text() == "mine"


def test_nothing_is_written_through_a_link_in_a_run(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """`log tensorboard` and ensembles have folders in that of the run. Training goes on without."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (run / "tensorboard").symlink_to(outside)
    gone_on(run, set={"train.epochs": 2, "train.log": "tensorboard"})
    assert "is a link to a folder that is not part of the run" in capfd.readouterr().err
    assert list(outside.iterdir()) == []


def test_a_network_far_larger_than_its_weights_is_not_built(run: Path) -> None:
    spec = run / "spec.cnn"
    spec.write_text(re.sub(r"fc classes", "fc 100000000, fc classes", spec.read_text()))
    with pytest.raises(SpecError) as caught:
        open_run(run, "", device=torch.device("cpu"))
    (found,) = caught.value.diagnostics
    assert found.code == "weights-fit"
    assert "numbers" in found.message
