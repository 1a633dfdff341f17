"""Options of other tools on the command line, and what is written here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import commands
from commands import Result
from dotcnn.cli import COMMANDS
from dotcnn.compiler.commands.foreign_options import INSTEAD, OPTIONS
from dotcnn.compiler.language.overrides import OverrideError, read_override
from dotcnn.compiler.plan.setting_elsewhere import setting_elsewhere

Run = Callable[..., Result]

SPEC = """network N(n=2, width=16, se=off, stages=[1, 2]) {
  input 3x32x32
  conv width 3x3 same, bn, relu
  repeat n { conv width 3x3 same, bn, relu, pool max 2x2 }
  pool avg global, flatten, fc 6
}
train {
  data folder "shapes"
  optimizer adamw lr=1e-3
}
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: commands.run(capfd, *arguments)


@pytest.mark.parametrize(
    ("arguments", "help"),
    [
        ("train net.cnn --lr 0.01", "write `--set train.optimizer.lr=0.01`"),
        ("train net.cnn --lr=0.01", "write `--set train.optimizer.lr=0.01`"),
        ("train net.cnn --batch-size 16", "write `--set train.batch=16`"),
        ("train net.cnn --epochs ten", "write `--set train.epochs=…`"),
        ("train net.cnn --epochs 3", "write `--set train.epochs=3`"),
        ("train net.cnn --optimizer adam", "write `--set train.optimizer=adam`"),
        ("train net.cnn --hflip 0.5", "write `--set augment.flip.p=0.5`"),
        ("train net.cnn --width 8", "write `--set width=8`"),
        ("train net.cnn width=8", "write `--set width=8`"),
        ("train net.cnn train.epochs=3", "write `--set train.epochs=3`"),
        ("train net.cnn --gpus 2", "write `--devices 2`"),
        ("train net.cnn --wandb", "write `--set train.log=wandb`"),
        ("train net.cnn epochs=3", "write `--set train.epochs=3`"),
        ("train net.cnn --reume", "did you mean `--resume`?"),
        ("sweep net.cnn -n 20", "write `--trials 20`"),
        ("new net --template resnet18", "write `--like resnet18`"),
        ("train net.cnn --gpu", "write `--device cuda`"),
        ("train net.cnn --output-dir here", "write `--output here`"),
        ("train net.cnn --data_dir here", "write `--data here`"),
        ("train net.cnn --devics 2", "did you mean `--devices`?"),
        ("train net.cnn --rubbish", "`cnn train --help` lists the options"),
        ("train --config net.cnn", "without a name: `cnn train FILE`"),
        ("check net.cnn --set n=3 width=8", "one `--set` for each: `--set width=8`"),
        ("report net.cnn --lr 1", "`cnn train FILE --set train.optimizer.lr=1`"),
        ("report net.cnn --batch-size 16", "write `--batch 16`"),
        ("check net.cnn --json", "write `--format json`"),
        ("export runs/fine --format onnx -o x.onnx", "the ending of -o decides"),
        ("export runs/fine --onnx", "the ending of -o decides"),
        ("predict --model runs/fine a.png", "without a name: `cnn predict RUN IMAGE`"),
        ("predict runs/fine --image a.png", "without a name: `cnn predict RUN IMAGE`"),
        ("predict runs/fine a.png --topk 3", "write `--top 3`"),
        ("show net.cnn --layer pool", "behind the image: `cnn show NET IMAGE LAYER`"),
    ],
)
def test_what_is_written_instead(arguments: str, help: str, run: Run) -> None:
    Path("net.cnn").write_text(SPEC)
    result = run(*arguments.split())
    assert (result.code, result.out) == (2, "")
    assert help in result.err
    assert len(result.err.splitlines()) == 1


def test_several_are_told_at_once(run: Run) -> None:
    result = run("train", "resnet20", "--lr", "1", "--rubbish", "--gpu")
    assert [line.split("`")[1] for line in result.err.splitlines()] == [
        "--lr",
        "--rubbish",
        "--gpu",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        "check net.cnn --set n=3 --set width=8",
        "check net.cnn --set=n=3 --form text",
        "check --format=json net.cnn --inp 3x64x64",
        "report net.cnn --batch 8 --set n=3",
        "check -- net.cnn",
        "check a=b.cnn",
    ],
)
def test_what_is_known_is_left_alone(arguments: str, run: Run) -> None:
    Path("net.cnn").write_text(SPEC)
    Path("a=b.cnn").write_text(SPEC)
    assert run(*arguments.split()).code == 0


def test_what_is_proposed_exists() -> None:
    options = {
        option
        for command in COMMANDS.values()
        for action in command.parser()._actions
        for option in action.option_strings
    }
    assert set(OPTIONS) <= options
    assert set(INSTEAD) <= {"", *COMMANDS}


def test_an_option_is_not_a_foreign_name_of_another() -> None:
    """What a command has itself is never answered with something else."""
    for name, command in COMMANDS.items():
        parser = command.parser()
        own = {option.lstrip("-") for action in parser._actions for option in action.option_strings}
        for names in INSTEAD.get(name, {}).values():
            assert not own & {*names.split()}, name


@pytest.mark.parametrize("value", ["wide", "none", "True"])
def test_a_word_for_a_number_is_one_error(value: str, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "net.cnn"
    path.write_text(SPEC)
    result = run("check", str(path), "--set", f"width={value}")
    said = result.out + result.err
    assert result.code in (1, 2)
    assert "--set" in said
    assert said.count("error") <= 2  # one, and the count of them
    assert "no value named" not in said


def test_a_word_for_a_list_and_a_switch(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "net.cnn"
    path.write_text(SPEC)
    assert "which is a list: [1, 2]" in run("check", str(path), "--set", "stages=deep").out
    assert "write `se=off`" in run("check", str(path), "--set", "se=none").out


def test_none_may_be_a_layer(run: Run) -> None:
    assert (
        run("report", "vovnet", "--set", "adds=off", "--set", "gates=none", "--depth", "1").code
        == 0
    )


@pytest.mark.parametrize("text", ["n=3,width=8", "n=3 width=8", "n=3;width=8", "n=3, width=8"])
def test_two_settings_in_one(text: str) -> None:
    with pytest.raises(OverrideError, match="one `--set` for each: `--set width=8`"):
        read_override(text)


def test_arguments_of_a_directive_are_no_second_setting() -> None:
    assert read_override("train.optimizer=adam lr=0.1 weight_decay=1e-4")


def test_a_setting_without_its_section(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "net.cnn"
    path.write_text(SPEC)
    result = run("check", str(path), "--set", "lr=0.01")
    assert "write `--set train.optimizer.lr=0.01`" in result.out
    path.write_text(SPEC + 'transfer { from "w.pt" }\n')
    result = run("check", str(path), "--set", "lr=0.01")
    assert "write `--set train.optimizer.lr=0.01`" in result.out
    with pytest.raises(OverrideError, match=r"write `train\.optimizer\.lr=…`"):
        read_override("optimizer.lr=0.01")


@pytest.mark.parametrize(
    ("name", "value", "setting"),
    [
        ("lr", "0.01", "train.optimizer.lr=0.01"),
        ("weight_decay", "1e-4", "train.optimizer.weight_decay=0.0001"),
        ("patience", "5", "train.early_stop=5"),
        ("mixup", "0.2", "augment.mixup=0.2"),
        ("epochs", "many", "train.epochs=…"),
        ("rubbish", "1", ""),
    ],
)
def test_settings_elsewhere(name: str, value: str, setting: str) -> None:
    assert setting_elsewhere(name, value)[0] == setting
