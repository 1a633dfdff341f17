"""Checkpoint files: written atomically, read safely, compared with the request."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import dotcnn
from dotcnn.compiler.language.overrides import read_override
from dotcnn.compiler.language.values import Factor, Interval, Text, literal
from dotcnn.dsl.atomic_file import write_whole
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.source import Source
from dotcnn.training.checkpoint.checkpoint import (
    about_weights,
    mark_of,
    read_checkpoint,
    write_checkpoint,
    write_weights,
)
from dotcnn.training.checkpoint.lines_file import Lines
from dotcnn.training.checkpoint.resume import differences
from dotcnn.training.request import Options, override_text, request
from dotcnn.training.weights.read import read_weights


def no_room(handle: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# ---- whole files -------------------------------------------------------------------------------


def test_files_are_replaced_atomically(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    write_whole(file, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_room)
        with pytest.raises(OSError, match="No space"):
            write_whole(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]
    write_whole(file, b"new")
    assert file.read_bytes() == b"new"


def test_lines_are_written_later_when_the_disk_was_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Lines(tmp_path / "lines")
    lines.add("one")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_room)
        for line in ("two", "three"):
            with pytest.raises(OSError, match="No space"):
                lines.add(line)
            assert lines.path.read_text() == "one\n"
    lines.add("four")
    assert lines.path.read_text() == "one\ntwo\nthree\nfour\n"
    lines.keep(2)
    assert lines.path.read_text() == "one\ntwo\n"


def test_a_file_without_lines(tmp_path: Path) -> None:
    lines = Lines(tmp_path / "lines")
    lines.keep(0)
    assert lines.path.read_bytes() == b""


# ---- checkpoints and weights -------------------------------------------------------------------


def test_a_checkpoint_of_the_wrong_form_is_an_error(tmp_path: Path) -> None:
    """With the entry that is missing. (What is whole comes back in the tests of --resume.)"""
    write_checkpoint(tmp_path / "x", {"network": "a", "model": {"a": torch.arange(3)}})
    with pytest.raises(SpecError, match="`optimizer` in it is missing"):
        read_checkpoint(tmp_path / "x")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_checkpoint_is_an_error(tmp_path: Path, share: float) -> None:
    write_checkpoint(tmp_path / "x", {"a": torch.arange(1000)})
    whole = (tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(SpecError, match="cannot be used"):
        read_checkpoint(tmp_path / "x")


def test_another_kind_of_file_is_an_error(tmp_path: Path) -> None:
    torch.save({"model": torch.zeros(1)}, tmp_path / "x")
    with pytest.raises(SpecError, match="it was not written by this version"):
        read_checkpoint(tmp_path / "x")
    with pytest.raises(SpecError, match="it does not exist"):
        read_checkpoint(tmp_path / "y")


def test_metadata_of_weights(tmp_path: Path) -> None:
    weights = {"a.weight": torch.randn(2, 3), "b.count": torch.tensor(7)}
    write_weights(tmp_path / "x.safetensors", weights, {"classes": '["ä", "b"]'})
    found = read_weights(tmp_path / "x.safetensors")
    assert all(torch.equal(found[key], weights[key]) for key in weights)
    assert about_weights(tmp_path / "x.safetensors")["classes"] == '["ä", "b"]'
    assert about_weights(tmp_path / "none.safetensors") == {}


# ---- the same network, the same plan -----------------------------------------------------------

NET = "network Net { input 1x8x8, conv 4, bn, relu, flatten, fc 10 }"


def test_the_hash_of_a_network_depends_on_its_computation() -> None:
    mark = mark_of(dotcnn.compile(NET))
    assert mark_of(dotcnn.compile("# words\n" + NET.replace(", ", "\n"))) == mark
    for old, new in (("4", "5"), ("relu", "elu"), ("bn", "bn eps=1e-3"), ("conv", "a: conv")):
        assert mark_of(dotcnn.compile(NET.replace(old, new))) != mark, new


def changed(*changes: str) -> list[str]:
    source = Source("<text>", NET)
    before = request(source).plan
    now = request(source, set=[read_override(change) for change in changes]).plan
    return [f"{each.section} {each.word}" for each in differences(before, now)]


def test_differences_are_listed_by_directive() -> None:
    assert changed() == []
    assert changed("train.batch=65") == ["train batch"]
    assert changed("train.optimizer.lr=0.1", "train.clip=2") == ["train optimizer", "train clip"]
    assert changed("evaluate.normalize=none") == ["evaluate normalize"]
    assert changed("augment.flip=horizontal") == ["augment augment"]


# ---- what was said beside a spec ---------------------------------------------------------------

VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(10**9), 10**9),
        st.floats(-1e9, 1e9, allow_nan=False),
        st.integers(0, 1000).map(lambda n: read_override(f"width={n / 10}%")[1]),
        st.integers(0, 1000).map(lambda n: Factor(n / 8)),
        st.tuples(st.integers(0, 9), st.integers(1, 9)).map(lambda p: Interval(p[0], sum(p))),
        st.text("ab\"\\ é", max_size=5).map(Text),
    ),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3), st.lists(inner, min_size=1, max_size=3).map(tuple)
    ),
    max_leaves=6,
)  # fmt: skip


@given(VALUES)
def test_values_survive_a_round_trip_through_text(value: object) -> None:
    name, found = read_override(f"width={literal(value)}")
    assert name == "width"
    assert repr(found) == repr(value)


@pytest.mark.parametrize(
    "text",
    [
        "train.epochs=3",
        "train.optimizer=sgd lr=0.1 momentum=0.9",
        "train.optimizer.lr=0.1",
        "train.data=folder \"a b\" val=20%",
        "augment=off",
        "train.metrics=top1 f1",
    ],
)  # fmt: skip
def test_overrides_survive_a_round_trip_through_text(text: str) -> None:
    _, found = read_override(text)
    again = override_text(found)  # type: ignore[arg-type]
    assert again == text
    assert override_text(read_override(again)[1]) == text  # type: ignore[arg-type]


def test_options_survive_a_round_trip_through_json() -> None:
    options = Options("Net", (3, 8, 8), 7, ("width=1", "train.epochs=3"))
    assert Options.from_json(options.to_json()) == options
    assert Options.from_json(Options().to_json()) == Options()
