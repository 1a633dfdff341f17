"""Training from a request to a run folder, and its errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import pytest
import torch
from safetensors.torch import load_file

import dotcnn
from dotcnn import cli
from dotcnn.compiler.plan.plan import TrainPlan
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.training.checkpoint.checkpoint import about_weights
from dotcnn.training.data.images.preprocessing import Preparation
from dotcnn.training.inference.trained_model import open_run

from ..small import NETWORK, SPEC, Looker, equal, gone_on, last, trained

pytestmark = pytest.mark.usefixtures("no_report")

ONE = {"train.epochs": 1}


def refused(folder: Path, spec: str = SPEC, **options: object) -> Diagnostic:
    """The one thing that is said."""
    with pytest.raises(SpecError) as raised:
        trained(folder, spec, **options)
    (found,) = raised.value.diagnostics
    return found


# ---- the folder --------------------------------------------------------------------------------


def test_everything_is_in_the_folder(tmp_path: Path) -> None:
    result = trained(tmp_path / "run")
    folder = result.folder
    assert sorted(path.name for path in folder.iterdir()) == [
        "answers-val.npz", "best.safetensors", "last.ckpt", "metrics.jsonl", "model.py",
        "plan.json", "record.json", "spec.cnn",
    ]  # fmt: skip
    assert (folder / "spec.cnn").read_text() == SPEC
    plan = TrainPlan.from_json((folder / "plan.json").read_text())
    assert plan.train.epochs.count == 3
    assert "class Net(nn.Module)" in (folder / "model.py").read_text()
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [0, 1, 2, 3]
    record = json.loads((folder / "record.json").read_text())
    assert record["state"] == "done"
    assert record["torch"] == torch.__version__
    assert record["result"]["val"] == result.metrics
    images = [each["images"] for each in record["result"]["per_class"].values()]
    assert sum(images) == 359
    assert all(isinstance(count, int) for count in images)


def test_best_weights_say_what_they_are_for(tmp_path: Path) -> None:
    result = trained(tmp_path / "run")
    about = about_weights(result.folder / "best.safetensors")
    assert json.loads(about["classes"]) == list("0123456789") == list(result.classes)
    assert Preparation.from_json(about["preparation"]) == result.preparation
    assert about["epoch"] == str(result.best_epoch)
    best = load_file(result.folder / "best.safetensors")
    assert equal(best, result.module.state_dict())


def test_the_result_can_be_used(tmp_path: Path) -> None:
    """Its module, prepared images, and probabilities that agree with them."""
    result = trained(tmp_path / "run")
    assert result.outcome is not None
    right = result.outcome.probabilities.argmax(1) == result.outcome.labels
    assert float(right.float().mean()) == pytest.approx(result.metrics["top1"])
    assert not result.module.training
    again = open_run(result.folder, dotcnn.__version__, device=torch.device("cpu"))
    assert equal(again.modules[0].state_dict(), result.module.state_dict())


def test_folders_are_named_for_their_spec_and_numbered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my net.cnn").write_text(SPEC)
    names = [dotcnn.train("my net.cnn", device="cpu", epochs=1).folder for _ in range(2)]
    assert names == [tmp_path / "runs" / "my_net", tmp_path / "runs" / "my_net-2"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("years of work")
    assert refused(tmp_path / "run").code == "run-exists"
    trained(tmp_path / "other", set=ONE)
    found = refused(tmp_path / "other")
    assert found.code == "run-exists"
    assert "--resume" in found.help


def test_a_failed_start_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match="no folder"):
        dotcnn.train(SPEC, data="flowers", device="cpu")
    assert list(tmp_path.iterdir()) == []


def test_imports_lie_beside_the_spec(tmp_path: Path) -> None:
    """Those below it in their places; those of the gallery in theirs; so that the copy is whole."""
    home = tmp_path / "home"
    (home / "parts").mkdir(parents=True)
    (home / "parts" / "unit.cnn").write_text(
        "block unit(width) { conv width 3x3 stride=2 same, bn, relu }\n"
    )
    (home / "net.cnn").write_text(
        'import "parts/unit.cnn"\nimport "resnet/blocks.cnn"\n'
        "network Net { input 1x8x8, unit 4, basic 4, flatten, fc classes }\n"
        "train { data digits, batch 256 }\n"
    )
    result = dotcnn.train(home / "net.cnn", output=tmp_path / "run", device="cpu", epochs=1)
    for path in [*home.rglob("*.cnn")]:
        path.unlink()
    assert (result.folder / "parts" / "unit.cnn").exists()
    assert (result.folder / "resnet" / "blocks.cnn").exists()
    assert gone_on(result.folder, epochs=2).epochs == 2


# ---- what is said beside the spec --------------------------------------------------------------


def test_options_are_kept_when_a_run_is_resumed(tmp_path: Path) -> None:
    spec = SPEC.replace("network Net {", "network Net(width=4) {").replace("conv 4", "conv width")
    result = trained(tmp_path / "run", spec, set={**ONE, "width": 6, "train.batch": 512})
    assert result.module.get_parameter("conv.weight").shape[0] == 6
    found = gone_on(tmp_path / "run", epochs=2)
    assert found.epochs == 2
    assert found.module.get_parameter("conv.weight").shape[0] == 6


def test_other_data_can_be_given(tmp_path: Path) -> None:
    """And the network has as many outputs as that has classes."""
    random = numpy.random.default_rng(0)
    numpy.savez(
        tmp_path / "data.npz",
        images=random.integers(0, 256, (60, 8, 8), dtype=numpy.uint8),
        labels=numpy.arange(60) % 3,
    )
    result = trained(tmp_path / "run", data=tmp_path / "data.npz", set=ONE)
    assert result.module.get_parameter("fc.weight").shape[0] == 3
    assert gone_on(tmp_path / "run", epochs=2).epochs == 2


def test_a_test_part(tmp_path: Path) -> None:
    result = trained(tmp_path / "run", set={**ONE, "train.split": "val=10% test=20%"})
    assert result.test is not None
    assert len(result.test.labels) == pytest.approx(0.2 * 1797, abs=2)
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["result"]["test"]["top1"] == pytest.approx(result.test.metrics["top1"])


def test_multi_label_training(tmp_path: Path) -> None:
    random = numpy.random.default_rng(0)
    labels = random.integers(0, 2, (80, 4))
    images = (labels[:, :, None] * 200).repeat(16, axis=2).reshape(80, 8, 8)
    numpy.savez(tmp_path / "data.npz", images=images.astype(numpy.uint8), labels=labels)
    wrong = {"train.loss": "cross_entropy"}
    found = refused(tmp_path / "run", data=tmp_path / "data.npz", set=wrong)
    assert found.code == "several-labels"
    changes = {"train.epochs": 30, "train.batch": 16}  # `bce` follows from the labels
    result = trained(tmp_path / "run", data=tmp_path / "data.npz", set=changes)
    assert result.metrics["f1"] > 0.9
    record = json.loads((tmp_path / "run" / "record.json").read_text())["result"]
    assert record["best"] == pytest.approx(result.metrics["map"])
    assert result.outcome is not None
    assert result.outcome.labels.shape == (16, 4)


# ---- several networks --------------------------------------------------------------------------


def test_an_ensemble(tmp_path: Path) -> None:
    """Each has a seed of its own; together they are at least as good as their mean."""
    looker = Looker()
    result = trained(tmp_path / "run", callback=looker, set={**ONE, "train.ensemble": 3})
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    members = record["result"]["members"]
    assert len(members) == 3
    assert len({member["loss"] for member in members}) == 3
    assert result.metrics["loss"] <= sum(member["loss"] for member in members) / 3
    alone = trained(tmp_path / "alone", set={**ONE, "train.seed": 1})
    assert equal(last(tmp_path / "run" / "2"), last(tmp_path / "alone"))
    assert alone.metrics["loss"] == pytest.approx(members[1]["loss"])
    ready = open_run(result.folder, dotcnn.__version__, device=torch.device("cpu"))
    assert len(ready.modules) == 3


def test_what_an_ensemble_and_views_gain_is_told_at_the_end(tmp_path: Path) -> None:
    """Each against the simple way: the best network alone, and one view of each image."""
    spec = SPEC + "evaluate { tta flip }"
    looker = Looker()
    result = trained(tmp_path / "run", spec, callback=looker, set={**ONE, "train.ensemble": 2})
    record = json.loads((tmp_path / "run" / "record.json").read_text())["result"]
    ensemble, views = record["comparisons"]
    best = max(record["members"], key=lambda each: (each["top1"], -each["loss"]))
    assert ensemble["base"] == pytest.approx(best, abs=1e-6)
    assert ensemble["metrics"] == pytest.approx(result.metrics, abs=1e-6)
    assert (views["what"], views["base"]) == ("tta flip", pytest.approx(ensemble["metrics"]))
    assert looker.end is not None
    assert list(looker.end.comparisons) == [ensemble["text"], views["text"]]
    member = json.loads((tmp_path / "run" / "1" / "record.json").read_text())["result"]
    assert member["comparisons"] == [], "that of all networks together is enough"


def test_what_views_gain_is_told_at_the_end_of_a_run(tmp_path: Path) -> None:
    looker = Looker()
    result = trained(tmp_path, SPEC + "evaluate { tta flip }", callback=looker, set=ONE)
    (found,) = json.loads((tmp_path / "record.json").read_text())["result"]["comparisons"]
    assert found["base"] == pytest.approx(result.metrics)
    again = dotcnn.evaluate(tmp_path, tta=True, device="cpu")
    assert again.metrics == pytest.approx(found["metrics"])
    assert looker.end is not None
    assert list(looker.end.comparisons) == [found["text"]]


def test_an_ensemble_is_resumed(tmp_path: Path) -> None:
    changes = {**ONE, "train.ensemble": 2}
    whole = trained(tmp_path / "whole", set=changes)
    looker = Looker(stop_after=8)  # in the second network
    stopped = trained(tmp_path / "run", set=changes, callback=looker)
    assert stopped.interrupted
    result = gone_on(tmp_path / "run")
    assert result.metrics == whole.metrics
    for member in ("1", "2"):
        assert equal(last(tmp_path / "run" / member), last(tmp_path / "whole" / member))


# ---- somebody's weights ------------------------------------------------------------------------


def test_training_starts_from_the_weights_of_a_run(tmp_path: Path) -> None:
    first = trained(tmp_path / "first")
    begun = SPEC + f'transfer {{ from "{tmp_path / "first"}" }}'
    trained(tmp_path / "second", begun, set={**ONE, "train.optimizer": "sgd lr=1e-12"})
    weights = last(tmp_path / "second")
    for name, weight in first.module.named_parameters():
        assert torch.allclose(weights[name], weight)


def test_the_head_can_be_reset(tmp_path: Path) -> None:
    trained(tmp_path / "first")
    begun = SPEC + f'transfer {{ from "{tmp_path / "first"}", head reset }}'
    changes = {**ONE, "train.optimizer": "sgd lr=1e-12"}
    trained(tmp_path / "second", begun, set=changes)
    old, new = last(tmp_path / "first"), last(tmp_path / "second")
    best = load_file(tmp_path / "first" / "best.safetensors")
    assert torch.allclose(new["conv.weight"], best["conv.weight"])
    torch.manual_seed(0)
    fresh = dotcnn.load(SPEC).state_dict()
    assert torch.allclose(new["fc.weight"], fresh["fc.weight"])
    assert not torch.allclose(new["fc.weight"], old["fc.weight"])


# ---- what goes wrong ---------------------------------------------------------------------------


def test_nan_ends_training(tmp_path: Path) -> None:
    """With the step, the layer, and the last good checkpoint as it was."""
    looker = Looker()
    found = refused(
        tmp_path / "run",
        SPEC.replace("bn, ", ""),
        callback=looker,
        set={"train.optimizer": "sgd lr=1000 momentum=0.99", "train.batch": 16},
    )
    assert found.code == "diverged"
    assert f"step {len(looker.steps) + 1} " in found.message
    assert found.notes[0].split()[0] in ("conv", "fc", "bn", "what")
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["state"] == "diverged"


def test_the_last_good_checkpoint_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(tmp_path / "run", set=ONE)
    kept = last(tmp_path / "run")
    before = (tmp_path / "run" / "last.ckpt").read_bytes()
    monkeypatch.setattr("dotcnn.training.trainer.loop.set_rate", lambda made, rate: _explode(made))
    with pytest.raises(SpecError, match="NaN or infinite"):
        gone_on(tmp_path / "run", epochs=3)
    assert (tmp_path / "run" / "last.ckpt").read_bytes() == before
    assert equal(last(tmp_path / "run"), kept)


def _explode(optimizer: torch.optim.Optimizer) -> None:
    for group in optimizer.param_groups:
        group["lr"] = 1e30


def test_a_loss_far_beyond_guessing_ends_it(tmp_path: Path) -> None:
    spec = SPEC.replace("bn, ", "").replace("dropout 0.2", "")
    with pytest.raises(SpecError, match="diverges"):
        trained(tmp_path / "run", spec, set={**ONE, "train.optimizer": "sgd lr=300"})


def test_memory_that_is_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what was predicted, and a batch that is smaller."""

    def too_much(*arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("dotcnn.training.trainer.loop.set_rate", too_much)
    found = refused(tmp_path / "run")
    assert found.code == "out-of-memory"
    assert "256" in found.message
    batch = int(found.help.split("`")[1].split()[1])
    assert 0 < batch < 256


def test_one_image_in_a_norm_of_one_pixel(tmp_path: Path) -> None:
    spec = SPEC.replace("flatten", "pool avg global, flatten, bn")
    found = refused(tmp_path / "run", spec, set={"train.batch": 1})
    assert found.code == "batch-too-small"


# ---- the command -------------------------------------------------------------------------------


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.cnn").write_text(SPEC)
    arguments = ["train", "net.cnn", "--set", "train.epochs=1", "--device", "cpu"]
    assert cli.main([*arguments, "-o", "out/a"]) == 0
    assert (tmp_path / "out" / "a" / "best.safetensors").exists()
    out, err = capsys.readouterr()
    assert out == ""
    assert "epoch 1/1" in err
    assert "warning" not in err
    assert cli.main([*arguments, "-o", "out/a"]) == 1
    assert "error[run-exists]" in capsys.readouterr().err
    assert cli.main(["train", "--resume", "out/a", "--set", "train.epochs=2"]) == 0
    assert len((tmp_path / "out" / "a" / "metrics.jsonl").read_text().splitlines()) == 3


def test_warnings_about_a_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A warm-up for 5 epochs of 30 fills a trial of 1."""
    monkeypatch.chdir(tmp_path)
    text = f"{NETWORK}train {{\n data digits\n epochs 30\n schedule cosine warmup=5\n}}\n"
    Path("net.cnn").write_text(text)
    assert cli.main(["train", "net.cnn", "--set", "train.epochs=1", "--device", "cpu"]) == 0
    err = capsys.readouterr().err
    assert "warning[unreached]: the warm-up takes the only epoch" in err
    assert err.count("warning[") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "name a spec"),
        (["--resume", ".", "-o", "b"], 2, "name one of the two"),
        (["--resume"], 2, "name a spec"),
        (["--resume", "other.cnn", "-o", "b"], 1, "other.cnn"),
        (["net.cnn", "--device", "tpu"], 1, "no device `tpu`"),
        (["net.cnn", "--device", "cuda:9"], 1, "cuda"),
        (["--resume", "nowhere"], 1, "no such folder"),
        (["net.cnn", "--resume", "nowhere"], 1, "no folder nowhere"),
        (["net.cnn", "--data", "nowhere"], 1, "no folder nowhere"),
        (["net.cnn", "--set", "train.epoch=1"], 1, "epochs"),
        (["other.cnn"], 1, "other.cnn"),
        (["."], 2, "folder"),
    ],
)
def test_wrong_usage_is_an_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.cnn").write_text(SPEC)
    assert cli.main(["train", *arguments]) == code
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["net.cnn"]


def test_ctrl_c_ends_the_command_with_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.cnn").write_text(SPEC)
    monkeypatch.setattr(
        "dotcnn.training.display.choose.callback_for", lambda *_, **__: Looker(stop_after=2)
    )
    assert cli.main(["train", "net.cnn"]) == 130
    assert (tmp_path / "runs" / "net" / "last.ckpt").exists()


def test_a_network_without_sections_learns_digits(tmp_path: Path) -> None:
    result = trained(tmp_path / "run", NETWORK, set=ONE)
    record = json.loads((result.folder / "record.json").read_text())
    assert record["dataset"]["name"] == "digits"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_figures_agree(tmp_path: Path, precision: str) -> None:
    """The best epoch's line, the result and the record: one number, computed once."""
    looker = Looker()
    result = trained(tmp_path / "run", set={"train.precision": precision}, callback=looker)
    best = next(record for record in looker.epochs if record.epoch == result.best_epoch)
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert looker.end is not None
    for name, value in best.val.items():
        assert result.metrics[name] == value
        assert looker.end.best[name] == value
        assert record["result"]["val"][name] == value
    assert result.outcome is not None
    right = result.outcome.confusion.diagonal().sum() / result.outcome.confusion.sum()
    assert float(right) == pytest.approx(best.val["top1"])


def test_slow_precision_is_not_used_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dotcnn.training.optim.choose_precision.bf16_is_fast", lambda device: False)
    looker = Looker()
    trained(tmp_path / "run", set={**ONE, "train.precision": "bf16"}, callback=looker)
    assert any("no instructions for bf16" in note for note in looker.notes)


def test_a_loss_that_the_last_layer_chose_is_said(tmp_path: Path) -> None:
    """A sigmoid at the end of a network whose images have one class."""
    for ending, written, said in (
        ("fc classes, sigmoid", "", True),
        ("fc classes, sigmoid", "  loss bce\n", False),
        ("fc classes", "", False),
    ):
        looker = Looker()
        spec = SPEC.replace("fc classes", ending).replace("  epochs 3\n", f"  epochs 1\n{written}")
        folder = tmp_path / f"{len(ending)}-{len(written)}"
        trained(folder, spec, callback=looker)
        notes = [note for note in looker.notes if "the loss is `bce`" in note]
        assert bool(notes) == said


def test_top5_is_left_out_where_there_are_few_classes(tmp_path: Path) -> None:
    images = numpy.random.default_rng(0).integers(0, 255, (48, 8, 8, 1), dtype=numpy.uint8)
    numpy.savez(tmp_path / "six.npz", images=images, labels=numpy.arange(48) % 6)
    data = f'data npz "{tmp_path / "six.npz"}" val=50%'
    spec = SPEC.replace("data digits", data).replace("epochs 3", "epochs 1")
    usual, asked = Looker(), Looker()
    trained(tmp_path / "few", spec, callback=usual)
    assert [*usual.epochs[-1].val] == ["loss", "top1"]
    named = spec.replace("epochs 1", "epochs 1\n  metrics top1 top5")
    trained(tmp_path / "named", named, callback=asked)
    assert "top5" in asked.epochs[-1].val
