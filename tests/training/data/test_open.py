"""Opening data: bad files are named, small data is kept in memory, classes are counted."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.plan import plan
from dotcnn.compiler.plan.data import Digits
from dotcnn.compiler.plan.loss import Weights
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.program import load_program
from dotcnn.dsl.source import Source
from dotcnn.training.data.dataset import Dataset, Part
from dotcnn.training.data.images.checked_files import CheckedFiles
from dotcnn.training.data.left_out import BadFile
from dotcnn.training.data.loader.batches import Sharing
from dotcnn.training.data.loader.class_weights import class_weights
from dotcnn.training.data.loader.memory_budget import place
from dotcnn.training.data.loader.store import InMemory, OnDisk, without
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.request import request

from .sets import fill, opened, picture, planned, refused

TWO = {"cats": 60, "dogs": 60}
FILES = {"budget": 0}
"""As if nothing could be kept in memory."""


def both(data: str, base: Path, **options: object) -> list[Opened]:
    return [
        opened(data, base, **options),  # type: ignore[arg-type]
        opened(data, base, opening=FILES, **options),  # type: ignore[arg-type]
    ]


# ---- digits ----------------------------------------------------------------------------------


def test_digits() -> None:
    """1,797 real ones, as published: so many of each, 0 to 16 made 0 to 255."""
    found = opened("digits", input="1x8x8")
    train, val = (torch.tensor(part.counts) for part in found.dataset.parts)
    assert (train + val).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert [part.count for part in found.dataset.parts] == [1438, 359]
    assert found.dataset.licence == "CC BY 4.0"
    images = {
        found.name(part, index): found.image(part, index)
        for part in ("train", "val")
        for index in range(len(found.stores[part]))
    }
    assert len(images) == 1797
    values = torch.stack(list(images.values())).unique().tolist()
    assert values == [round(value * 255 / 16) for value in range(17)]
    assert images["#0"][0, 0].tolist() == [0, 0, 80, 207, 143, 16, 0, 0]


def test_digits_as_large_as_the_input() -> None:
    assert opened("digits", input="3x32x28").image("train", 0).shape == (3, 32, 28)


# ---- files that cannot be used ---------------------------------------------------------------


def spoil(root: Path) -> dict[str, str]:
    """Files of every bad kind, with the beginning of what is said."""
    picture(1, (64, 64)).save(root / "cats" / "cut.jpg")
    whole = (root / "cats" / "cut.jpg").read_bytes()
    (root / "cats" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "cats" / "empty.png").touch()
    (root / "cats" / "text.png").write_text("no picture")
    (root / "dogs" / "noise.png").write_bytes(bytes(range(256)))
    os.symlink("nowhere", root / "dogs" / "link.png")
    return {
        "cats/cut.jpg": "cut short",
        "cats/empty.png": "it is empty",
        "cats/text.png": "not an image, but text",
        "dogs/link.png": "cannot be read: No such file",
        "dogs/noise.png": "not an image in a supported format",
    }


def test_a_few_are_named_and_left_out(tmp_path: Path) -> None:
    fill(tmp_path, TWO)
    reasons = spoil(tmp_path)
    for found in both(f'folder "{tmp_path}" bad=5%', tmp_path):
        assert sum(part.count for part in found.dataset.parts) == 120
        said = {bad.name: bad.reason for bad in found.dataset.bad}
        assert said.keys() == reasons.keys()
        assert all(said[name].startswith(reason) for name, reason in reasons.items())
        for part in ("train", "val"):
            store = found.stores[part]
            assert len(store) == found.dataset.part(part).count  # type: ignore[union-attr]
            kinds = [found.name(part, index).split("/")[0] for index in range(len(store))]
            assert [("cats", "dogs")[label] for label in store.labels.tolist()] == kinds
        lines = list(found.dataset.lines())
        assert "5 files were left out:" in lines
        assert "  cats/empty.png: it is empty" in lines


def test_those_in_memory_stay_the_images_they_are(tmp_path: Path) -> None:
    """However many are left out before them."""
    fill(tmp_path, TWO)
    spoil(tmp_path)
    kept, streamed = both(f'folder "{tmp_path}" bad=5%', tmp_path)
    assert isinstance(kept.stores["train"], InMemory)
    assert isinstance(streamed.stores["train"], OnDisk)
    for index in range(0, len(kept.stores["train"]), 7):
        assert kept.name("train", index) == streamed.name("train", index)
        assert torch.equal(kept.image("train", index), streamed.image("train", index))


def test_too_many_bad_files_are_an_error_before_training(tmp_path: Path) -> None:
    fill(tmp_path, TWO)
    spoil(tmp_path)
    for opening in ({}, FILES):
        wrong = refused(f'folder "{tmp_path}" bad=2%', tmp_path, opening=opening)
        assert wrong.code == "bad-files"
        assert wrong.span is not None
        assert wrong.span.text == "bad=2%"
        assert wrong.message.startswith("5 of 125 files")
        assert "cats/empty.png: it is empty" in wrong.notes
        assert "`bad=5%`" in wrong.help
        assert opened(f'folder "{tmp_path}" bad=5%', opening=opening).dataset.bad


def test_files_of_several_parts_are_told_apart(tmp_path: Path) -> None:
    fill(tmp_path / "train", TWO)
    fill(tmp_path / "val", {"cats": 5, "dogs": 5})
    for part in ("train", "val"):
        (tmp_path / part / "cats" / "000.png").write_bytes(b"")
    found = opened(f'folder "{tmp_path}" bad=5%')
    assert [bad.name for bad in found.dataset.bad] == ["train/cats/000.png", "val/cats/000.png"]


def test_a_class_without_usable_files(tmp_path: Path) -> None:
    fill(tmp_path, {"cats": 50})
    (tmp_path / "dogs").mkdir()
    for name in "ab":
        (tmp_path / "dogs" / f"{name}.png").touch()
    wrong = refused(f'folder "{tmp_path}" bad=50%', tmp_path)
    assert (wrong.code, "`dogs`" in wrong.message) == ("empty-class", True)


def test_a_part_without_usable_files(tmp_path: Path) -> None:
    fill(tmp_path / "train", TWO)
    fill(tmp_path / "val", {"cats": 1, "dogs": 1})
    for path in (tmp_path / "val").rglob("*.png"):
        path.write_bytes(b"")
    wrong = refused(f'folder "{tmp_path}" bad=50%', tmp_path)
    assert (wrong.code, "validation" in wrong.message) == ("no-images", True)


@given(st.integers(0, 12).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, 12)))))
def test_bad_images_are_removed_in_place(case: tuple[int, set[int]]) -> None:
    count, bad = case
    images = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1)
    found = without(images.clone(), dict.fromkeys(bad & set(range(count)), "bad"))
    assert found.flatten().tolist() == [i for i in range(count) if i not in bad]


# ---- what is remembered of files -------------------------------------------------------------


def test_files_are_checked_once(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until they change; nothing is written beside the images."""
    root = fill(tmp_path / "set", TWO)
    spoil(root)
    before = sorted(root.rglob("*"))
    first = opened(f'folder "{root}" bad=5%', opening=FILES)
    looked_at: list[str] = []
    from dotcnn.training.data.images import check_files as check

    judge = check._reason
    monkeypatch.setattr(
        check, "_reason", lambda path, fit: (looked_at.append(path), judge(path, fit))[1]
    )
    again = opened(f'folder "{root}" bad=5%', opening=FILES)
    assert again.dataset == first.dataset
    assert [Path(path).name for path in looked_at] == ["link.png"]  # it has no time of change
    picture(7).save(root / "cats" / "empty.png")
    os.utime(root / "cats" / "000.png", ns=(1, 1))
    looked_at.clear()
    mended = opened(f'folder "{root}" bad=5%', opening=FILES)
    assert len(mended.dataset.bad) == 4
    assert {Path(path).name for path in looked_at} == {"link.png", "empty.png", "000.png"}
    assert sorted(root.rglob("*")) == before
    assert (cache / "images.sqlite").exists()


@pytest.mark.parametrize("harm", ["file", "folder", "nonsense"])
def test_files_are_checked_again_without_a_cache(tmp_path: Path, harm: str) -> None:
    root = fill(tmp_path / "set", {"a": 5, "b": 5})
    folder = tmp_path / "c"
    if harm == "file":
        folder.write_text("x")
    else:
        folder.mkdir()
        if harm == "folder":
            (folder / "images.sqlite").mkdir()
        else:
            (folder / "images.sqlite").write_text("this is no database" * 100)
    found = opened(f'folder "{root}"', opening={**FILES, "cache": folder})
    assert found.dataset.bad == ()


def test_names_that_are_not_utf_8_are_not_cached(tmp_path: Path) -> None:
    checked = CheckedFiles(tmp_path)
    names = {"/set/\udcff.png", "/set/a.png"}
    checked.remember({"/set/\udcff.png": ((1, 2), ""), "/set/a.png": ((3, 4), "bad")})
    assert checked.known("/set", names) == {"/set/a.png": ((3, 4), "bad")}
    assert checked.known("/set", ()) == {}
    assert checked.known("/other", names) == {}


# ---- where images are kept -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "needed", "files", "copies", "expected"),
    [
        ("cpu", 100, True, 1, "device"),
        ("cpu", 1001, True, 1, "files"),
        ("cpu", 1001, False, 1, "device"),
        ("cuda", 100, True, 1, "device"),
        ("cuda", 1001, True, 1, "files"),
        ("cuda", 1001, False, 1, "memory"),
    ],
)
def test_what_is_small_is_kept(
    device: str, needed: int, files: bool, copies: int, expected: str
) -> None:
    """Arrays are in memory anyway."""
    assert place(needed, torch.device(device), files, copies, 1000) == expected


def test_a_device_has_a_memory_of_its_own(tmp_path: Path) -> None:
    """Images are put there once, as bytes, and batches are made there."""
    fill(tmp_path, {"a": 10, "b": 10})
    found = opened(f'folder "{tmp_path}"', opening={"device": "cpu"})
    store = found.stores["train"]
    assert isinstance(store, InMemory)
    assert (store.images.dtype, store.images.device.type, found.where) == (
        torch.uint8, "cpu", "device",
    )  # fmt: skip
    for batch in found.training()():
        assert batch.images.dtype == torch.uint8


# ---- batches of a plan -----------------------------------------------------------------------


def test_both_ways_give_the_same_batches(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 20, "b": 20})
    kept, streamed = both(f'folder "{tmp_path}"\n  batch 12\n  workers 0', tmp_path)
    for first, second in zip(kept.training()(1, 12), streamed.training()(1, 12), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    for first, second in zip(kept.evaluation()(), streamed.evaluation()(), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_seed_and_size_are_the_plans(tmp_path: Path) -> None:
    found = opened("digits\n  batch 100\n  seed 3", input="1x8x8")
    first = [batch.indices.tolist() for batch in found.training()(0)]
    assert first[0] == next(found.training(seed=3, batch=100)(0)).indices.tolist()
    assert first[0] != next(found.training(seed=4)(0)).indices.tolist()
    assert len(next(found.evaluation(batch=7)())[0]) == 7


def test_batches_that_cannot_be_made(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 5, "b": 5})
    found = opened(f'folder "{tmp_path}"\n  batch 64 drop_last')
    with pytest.raises(SpecError, match="batch 8") as caught:
        found.training()
    assert caught.value.diagnostics[0].code == "batch-too-large"
    found = opened(f'folder "{tmp_path}"\n  batch 4')
    with pytest.raises(SpecError, match="fewer processes") as caught:
        found.training(sharing=Sharing(0, 5))
    assert caught.value.diagnostics[0].code == "batch-too-small"


def test_a_network_for_something_else_than_images() -> None:
    made = plan(
        elaborate(load_program(Source("a", "network N { input 64, fc 10 }"))), needs_data=False
    )
    with pytest.raises(SpecError) as caught:
        open_data(replace(made, train=replace(made.train, data=Digits.make())), Path())
    assert caught.value.diagnostics[0].code == "unfit-input"


def test_files_have_one_or_three_channels(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 5, "b": 5})
    wrong = refused(f'folder "{tmp_path}"', input="4x8x8")
    assert (wrong.code, wrong.help[:19]) == ("unfit-input", "write `input 3x8x8`")
    assert opened(f'folder "{tmp_path}"', input="1x8x8").image("train", 0).shape == (1, 8, 8)


def test_progress_is_reported(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 50, "b": 50})
    said: list[tuple[str, int, int]] = []
    opened(f'folder "{tmp_path}"', opening={"progress": lambda *what: said.append(what)})
    assert said[0] == ("reading the images for training", 0, 80)
    assert ("reading the images for training", 80, 80) in said
    assert said[-1] == ("reading the images for validation", 20, 20)


# ---- what is told ----------------------------------------------------------------------------


def dataset(counts: tuple[int, ...], bad: int = 0) -> Dataset:
    return Dataset(
        "pets",
        tuple("abcdefghijklmnopqrstuvwxyz"[: len(counts)]),
        (Part("train", sum(counts), counts), Part("val", 3, (1,) * len(counts))),
        "pets",
        bad=tuple(BadFile(f"{i}.png", "it is empty") for i in range(bad)),
    )


def test_uneven_classes_are_shown() -> None:
    lines = list(dataset((100, 300, 10)).lines())
    assert "weights balanced" in lines[3]
    assert "30.0 times" in lines[3]
    assert [line.split()[:2] for line in lines[4:]] == [["b", "300"], ["a", "100"], ["c", "10"]]
    assert list(dataset((100, 300, 100)).imbalance()) == []
    assert "far more" in next(dataset((5, 0)).imbalance())
    assert len(list(dataset(tuple(range(1, 27))).imbalance())) == 12


def test_no_advice_if_classes_are_weighted() -> None:
    told = next(replace(dataset((100, 10)), weighted=True).imbalance())
    assert told == "the classes are uneven: the largest has 10.0 times the images of the smallest"
    data = "digits\n  weights balanced"
    assert opened(data, input="1x8x8").dataset.weighted
    assert not opened("digits", input="1x8x8").dataset.weighted


def test_a_summary_of_many_bad_files_is_short() -> None:
    lines = list(dataset((5, 5), bad=30).lines())
    assert lines[3] == "30 files were left out:"
    assert lines[-1] == "  and 20 more"
    assert len(lines) == 15
    assert len(json.loads(dataset((5, 5), bad=30).to_json())["bad"]) == 30


def test_weights_of_classes() -> None:
    """Balanced: each class counts alike together, the mean over images is 1."""
    data = dataset((100, 300, 0))
    classes, counts = data.classes, data.train.counts
    assert class_weights(planned("digits", input="1x8x8").train.weights, classes, counts) is None
    balanced = class_weights(Weights.make(classes="balanced"), classes, counts)
    assert balanced is not None
    assert balanced.tolist() == pytest.approx([2, 2 / 3, 0])
    given_ones = class_weights(Weights.make(classes=(1.0, 2.0, 3.0)), classes, counts)
    assert given_ones is not None
    assert given_ones.tolist() == [1, 2, 3]
    two = planned("digits\n  weights [1, 2]", input="1x8x8")
    with pytest.raises(SpecError, match="2 weights for 3 classes") as caught:
        class_weights(two.train.weights, classes, counts)
    assert caught.value.diagnostics[0].span.text == "[1, 2]"


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_images_of_more_than_8_bits_are_said_to_be_cut(tmp_path: Path, ending: str) -> None:
    for number in range(8):
        path = tmp_path / "deep" / "ab"[number % 2] / f"{number}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(numpy.full((8, 8), 4000 * number, numpy.uint16)).save(path)
    text = 'network N { input 1x8x8\n flatten\n fc classes }\ntrain { data folder "deep" }'
    made = request(Source("net.cnn", text), base=tmp_path, here=tmp_path)
    notes = open_data(made.plan, made.base).dataset.notes
    assert any("images have 16 bits a channel" in note for note in notes)
