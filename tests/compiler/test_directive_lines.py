"""Directives written as settings, `optimizer = adamw lr=1e-3`, and all mistakes of a line and of a
section in one run."""

from __future__ import annotations

from pathlib import Path

import pytest

from dotcnn.compiler.diagnose.check import check
from dotcnn.compiler.diagnose.trial import apply
from dotcnn.compiler.load_spec import load
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.source import Source
from foreign_corpus import errors, section

OTHERS = ("", "epochs=10\n  ", "batch_size 32\n  ", "learning_rate 0.01\n  epochs: 3\n  ")
"""What stands beside it: nothing, a syntax error, another mistake, and both."""


@pytest.mark.parametrize("beside", OTHERS)
@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("optimizer = adamw lr=1e-3", "optimizer adamw lr=1e-3"),
        ("optimizer: adamw lr=1e-3", "optimizer adamw lr=1e-3"),
        ("optimizer := adamw lr=1e-3", "optimizer adamw lr=1e-3"),
        ("optimizer=adamw", "optimizer adamw"),
        ("optim = adamw lr=1e-3", "optimizer adamw lr=1e-3"),
        ("schedule = cosine warmup=2", "schedule cosine warmup=2"),
        ("early_stop = 5 metric=top1", "early_stop 5 metric=top1"),
    ],
)
def test_a_directive_as_a_setting(line: str, meant: str, beside: str) -> None:
    text = section("train", f"{beside}{line}")
    (found,) = [d for d in errors(text) if d.span is not None and d.span.text in line]
    assert "layer" not in found.message
    assert found.help == f"write `{meant}`"
    assert meant in apply(text, found.edits)


@pytest.mark.parametrize("beside", ["", "crop = 32 pad=4, "])
def test_an_augmentation_as_a_setting(beside: str) -> None:
    found = errors(section("augment", f"{beside}flip = horizontal p=50%"))
    assert found[-1].help == "write `flip horizontal p=50%`"
    assert "directive" in found[-1].message
    assert len(found) == 1 + bool(beside)


def test_a_word_that_no_section_has() -> None:
    (found,) = errors(section("train", "thing = other a=1"))
    assert found.message == "`thing` is not a directive of `train`"
    assert not found.edits


def test_a_fix_is_not_taken_to_hold_because_another_line_cannot_be_read() -> None:
    text = section("train", "epochs=10\n  x: optimizer = adam lr=0.1")
    for found in errors(text):
        assert "label" not in found.help


def test_all_mistakes_of_a_line_in_one_run() -> None:
    body = "epochs: 5, optimizer=adam, learning_rate 0.01, batch_size 32, loss crossentropy"
    text = section("augment", "flip horizontal").replace("data cifar10", f"data cifar10, {body}")
    found = errors(text)
    assert [d.span and d.span.text for d in found] == [
        "epochs: 5", "optimizer=adam", "learning_rate", "batch_size", "crossentropy",
    ]  # fmt: skip


def test_all_mistakes_of_a_file_in_one_run() -> None:
    text = """network N {
  input 3x32x32
  conv 64 3x3 same stride = 2, Conv2D 64 3, rellu, conv 64 3x3 strid=3
  pool avg global, flatten, fc classes
}
train {
  data cifar10
  optimiser adam
  epochs=3
  lr 0.1
}
augment { flip_lr, rotate = 10 }
"""
    found = errors(text)
    assert [d.span and d.span.text for d in found] == [
        "stride = 2", "Conv2D", "rellu", "strid", "optimiser", "epochs=3", "lr", "flip_lr",
        "rotate = 10",
    ]  # fmt: skip


def test_the_statement_around_a_mistake_is_not_reported_too() -> None:
    text = "network N {\n  input 3x32x32\n  thing { filters: 3 }\n  fc 10\n}\n"
    assert len(errors(text)) == 1


@pytest.mark.parametrize("line", ["data shapes", "dataset shapes", "data = shapes", "data: shapes"])
def test_a_folder_beside_the_spec_is_meant(line: str, tmp_path: Path) -> None:
    (tmp_path / "shapes").mkdir()
    path = tmp_path / "net.cnn"
    text = section("train", line, says_data=True)
    try:
        all_of_them = check(load(Source("net.cnn", text, path)))
    except SpecError as error:
        all_of_them = list(error.diagnostics)
    (found,) = [d for d in all_of_them if d.severity == "error"]
    assert found.help == 'write `data folder "shapes"`'
