"""`data folder`: the usual layouts, and errors for others."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch

from dotcnn.training.data.loader.image_source import Files

from .sets import fill, network, opened, picture, planned, refused, spec

TWO = {"cats": 10, "dogs": 10}


def names(found: object, part: str) -> list[str]:
    store = found.stores[part]  # type: ignore[attr-defined]
    return [store.source.name(index) for index in range(len(store))]


# ---- what is found ---------------------------------------------------------------------------


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    """A fifth of each class is kept for validation."""
    fill(tmp_path / "pets", TWO)
    found = opened('folder "pets"', tmp_path)
    assert found.dataset.name == "pets"
    assert found.dataset.classes == ("cats", "dogs")
    assert [(p.name, p.count, p.counts) for p in found.dataset.parts] == [
        ("train", 16, (8, 8)),
        ("val", 4, (2, 2)),
    ]
    assert sorted(names(found, "train") + names(found, "val"))[:2] == [
        "cats/000.png",
        "cats/001.png",
    ]


def test_labels_belong_to_their_images(tmp_path: Path) -> None:
    fill(tmp_path, TWO)
    found = opened(f'folder "{tmp_path}" val=50%')
    for part in ("train", "val"):
        for index, name in enumerate(names(found, part)):
            kind, number = name.split("/")
            assert found.dataset.classes[int(found.stores[part].labels[index])] == kind
            expected = picture(int(number[:3]) + 1000 * (kind == "dogs")).getpixel((7, 7))
            assert tuple(found.image(part, index)[:, 7, 7].tolist()) == expected


def test_existing_parts_are_used(tmp_path: Path) -> None:
    fill(tmp_path / "train", TWO)
    fill(tmp_path / "Validation", {"dogs": 3, "cats": 2})
    fill(tmp_path / "test", {"cats": 1, "dogs": 1})
    found = opened(f'folder "{tmp_path}"')
    assert [(p.name, p.counts) for p in found.dataset.parts] == [
        ("train", (10, 10)),
        ("val", (2, 3)),
        ("test", (1, 1)),
    ]


def test_without_validation_the_test_is_taken(tmp_path: Path) -> None:
    """This is noted. With `val=` it remains the test part."""
    fill(tmp_path / "train", TWO)
    fill(tmp_path / "test", {"cats": 1, "dogs": 2})
    found = opened(f'folder "{tmp_path}"')
    assert [p.counts for p in found.dataset.parts] == [(10, 10), (1, 2)]
    assert any("test part of the data" in note for note in found.dataset.notes)
    found = opened(f'folder "{tmp_path}" val=10%')
    assert [p.counts for p in found.dataset.parts] == [(9, 9), (1, 1), (1, 2)]


def test_a_separate_validation_folder(tmp_path: Path) -> None:
    fill(tmp_path / "mine", TWO)
    fill(tmp_path / "other", {"dogs": 1, "cats": 1})
    found = opened('folder "mine" val="other"', tmp_path)
    assert [p.counts for p in found.dataset.parts] == [(10, 10), (1, 1)]


def test_images_in_folders_below_their_class(tmp_path: Path) -> None:
    fill(tmp_path / "cats", {"2024": 3, "2025/may": 3})
    fill(tmp_path / "dogs", {"all": 6})
    found = opened(f'folder "{tmp_path}"')
    assert found.dataset.classes == ("cats", "dogs")
    assert "cats/2025/may/000.png" in names(found, "train") + names(found, "val")


def test_circular_links(tmp_path: Path) -> None:
    fill(tmp_path, TWO)
    os.symlink(tmp_path, tmp_path / "cats" / "again")
    os.symlink("itself", tmp_path / "dogs" / "itself")
    found = opened(f'folder "{tmp_path}" bad=10%')
    assert sum(p.count for p in found.dataset.parts) == 20


def test_system_files_are_ignored(tmp_path: Path) -> None:
    """Hidden files are ignored; other files are counted and noted."""
    fill(tmp_path, TWO)
    for name in (".DS_Store", "._000.png", "Thumbs.db"):
        (tmp_path / "cats" / name).write_bytes(b"x")
    fill(tmp_path, {"__MACOSX": 2, ".git": 1})
    (tmp_path / "cats" / "notes.txt").write_text("x")
    (tmp_path / "dogs" / "film.heic").write_text("x")
    (tmp_path / "README").write_text("x")
    found = opened(f'folder "{tmp_path}"')
    assert found.dataset.classes == ("cats", "dogs")
    assert found.dataset.bad == ()
    assert len(found.dataset.notes) == 1
    assert "files that are not images: 1 of .txt and 1 of .heic" in found.dataset.notes[0]


def test_odd_names(tmp_path: Path) -> None:
    """Decomposed accents give the same class as composed ones; invalid UTF-8 is replaced."""
    fill(tmp_path, {"chaton é": 4, "Über/größe": 4, "a b": 4})
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")
    shutil.copy(tmp_path / "a b" / "000.png", os.fsencode(tmp_path) + b"/\xff/x.png")
    shutil.copy(tmp_path / "a b" / "000.png", os.fsencode(tmp_path) + b"/\xff/y.png")
    found = opened(f'folder "{tmp_path}"')
    assert found.dataset.classes == ("a b", "chaton é", "Über", "\N{REPLACEMENT CHARACTER}")
    found.dataset.to_json().encode()
    streamed = opened(f'folder "{tmp_path}"', opening={"budget": 0})
    assert streamed.where == "files"
    assert streamed.image("train", 5).shape == (3, 8, 8)


def test_endings_in_capitals(tmp_path: Path) -> None:
    fill(tmp_path, TWO, ending="PNG")
    assert sum(p.count for p in opened(f'folder "{tmp_path}"').dataset.parts) == 20


# ---- how it is divided -----------------------------------------------------------------------


def test_the_same_files_are_divided_alike_wherever_they_lie(tmp_path: Path) -> None:
    fill(tmp_path / "a", TWO)
    shutil.copytree(tmp_path / "a", tmp_path / "elsewhere" / "b")
    first = opened('folder "a" val=30%', tmp_path)
    second = opened('folder "elsewhere/b" val=30%', tmp_path)
    assert names(first, "val") == names(second, "val")
    other = opened('folder "a" val=30%\n split seed=1', tmp_path)
    assert names(first, "val") != names(other, "val")


def test_every_class_is_divided_alike(tmp_path: Path) -> None:
    fill(tmp_path, {"many": 40, "few": 4})
    found = opened(f'folder "{tmp_path}" val=25%')
    assert [p.counts for p in found.dataset.parts] == [(3, 30), (1, 10)]
    found = opened(f'folder "{tmp_path}"\n split val=25% test=25%')
    assert [p.counts for p in found.dataset.parts] == [(2, 20), (1, 10), (1, 10)]


def test_a_class_of_one_image_keeps_it_for_training(tmp_path: Path) -> None:
    fill(tmp_path, {"many": 9, "one": 1})
    found = opened(f'folder "{tmp_path}"')
    assert [p.counts for p in found.dataset.parts] == [(7, 1), (2, 0)]
    assert "too few images, so that none is left for validation: one" in [*found.dataset.lines()]


# ---- what is refused -------------------------------------------------------------------------


def test_no_folder(tmp_path: Path) -> None:
    fill(tmp_path / "flowers", TWO)
    found = refused('folder "flower"', tmp_path)
    assert found.code == "no-such-folder"
    assert found.span is not None
    assert found.span.text == '"flower"'
    assert found.help == "did you mean `flowers`, beside it?"


@pytest.mark.parametrize(
    ("counts", "code", "words"),
    [
        ({}, "no-class-folders", "is empty"),
        ({"cats": 0, "dogs": 0}, "no-images", "no folder in"),
        ({"cats": 3, "dogs": 0}, "empty-class", "`dogs`"),
        ({"cats": 3}, "one-class", "only one class, `cats`"),
        ({"val/cats": 3, "val/dogs": 3}, "no-training-folder", "no folder `train`"),
        ({"train/cats": 3, "train/dogs": 3, "val/birds": 1}, "unknown-class", "`birds`"),
        ({"train/cats": 3, "train/dogs": 3, "val/cats": 0}, "no-images", "val has no images"),
        ({"pets/cats": 3, "pets/dogs": 3}, "one-class", "only one class, `pets`"),
    ],
)
def test_folders_that_are_not_data_sets(
    tmp_path: Path, counts: dict[str, int], code: str, words: str
) -> None:
    fill(tmp_path, counts)
    found = refused(f'folder "{tmp_path}"', head="2")
    assert found.code == code
    assert words in found.message
    assert found.help


def test_photographs_in_formats_that_are_not_read(tmp_path: Path) -> None:
    """As phones write them: what to do is said, with other images and without."""
    fill(tmp_path, {"cats": 3, "dogs": 3})
    (tmp_path / "dogs" / "1.HEIC").touch()
    (note,) = opened(f'folder "{tmp_path}"').dataset.notes
    assert "1 of .heic; `.heic` is a photograph, in a format that is not read: convert" in note
    alone = tmp_path / "alone"
    for name in ("cats", "dogs"):
        (alone / name).mkdir(parents=True)
        (alone / name / "1.heic").touch()
    assert "convert them to JPEG" in refused(f'folder "{alone}"').help


def test_images_whose_masks_are_missing(tmp_path: Path) -> None:
    fill(tmp_path, {"images": 3})
    found = refused(f'folder "{tmp_path}"')
    assert found.code == "one-class"
    assert "a folder `masks` beside `images`" in found.help


def test_images_without_folders(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.png")
    found = refused(f'folder "{tmp_path}"')
    assert found.code == "no-class-folders"
    assert "1 image is directly in it" in found.message


def test_a_class_without_images_in_one_part_is_noted(tmp_path: Path) -> None:
    fill(tmp_path, {"train/cats": 3, "train/dogs": 3, "val/cats": 1})
    found = opened(f'folder "{tmp_path}"')
    assert found.dataset.notes == ("val has no images of dogs",)


def test_an_empty_class_is_described_with_its_own_files(tmp_path: Path) -> None:
    fill(tmp_path, {"cats": 3, "dogs": 0, "owls": 0})
    (tmp_path / "cats" / "notes.txt").write_text("x")
    (tmp_path / "dogs" / "film.heic").write_text("x")
    found = refused(f'folder "{tmp_path}"', head="3")
    assert "no images in `dogs` (other files there: 1 of .heic) and `owls`, in" in found.message
    assert ".txt" not in found.message


@pytest.mark.parametrize("place", ["test", "test/images"])
def test_a_test_folder_without_labels_is_left_out(tmp_path: Path, place: str) -> None:
    """Images without labels, as in competitions."""
    fill(tmp_path, {"train/cats": 5, "train/dogs": 5, place: 4})
    found = opened(f'folder "{tmp_path}"')
    assert [part.name for part in found.dataset.parts] == ["train", "val"]
    (note,) = found.dataset.notes
    assert note.endswith("is left out: `cnn predict` can classify its 4 images")


def test_an_archive_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "flowers.zip").write_bytes(b"PK")
    found = refused('folder "flowers.zip"', tmp_path)
    assert (found.code, found.help) == ("not-a-folder", "unpack it, and name the folder")


def test_two_divisions_contradict_each_other(tmp_path: Path) -> None:
    fill(tmp_path, {"train/a": 3, "train/b": 3, "val/a": 1, "val/b": 1})
    found = refused(f'folder "{tmp_path}" val=20%')
    assert found.code == "conflict"
    assert found.span is not None
    assert found.span.text == "val=20%"


def test_too_few_to_be_divided(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 1, "b": 1})
    assert refused(f'folder "{tmp_path}"').code == "too-few-images"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_folder_that_may_not_be_read(tmp_path: Path) -> None:
    fill(tmp_path, TWO)
    (tmp_path / "cats").chmod(0)
    assert refused(f'folder "{tmp_path}"').code == "unreadable"


# ---- how many classes ------------------------------------------------------------------------


def test_classes_are_as_many_as_there_are_folders(tmp_path: Path) -> None:
    """`fc classes`; another number in the spec is an error that shows both places."""
    from dotcnn.training.data.check_classes import check_classes

    fill(tmp_path, {"a": 3, "b": 3, "c": 3})
    data = f'folder "{tmp_path}"'
    assert planned(data).outputs == (3,)
    made = network(spec(data, head="5"), tmp_path)
    found = opened(data, head="5")
    wrong = check_classes(made, found.plan, found.dataset)
    assert wrong is not None
    assert wrong.message.endswith("has 3 classes, and the network ends in 5")
    assert wrong.span is not None
    assert wrong.span.text == "fc 5"
    assert [label.span.text for label in wrong.labels] == [f'"{tmp_path}"']
    assert [edit.text for edit in wrong.edits] == ["classes"]
    assert check_classes(network(spec(data), tmp_path), found.plan, found.dataset) is None


def test_a_source_of_files_holds_only_names(tmp_path: Path) -> None:
    fill(tmp_path, TWO)
    source = opened(f'folder "{tmp_path}"').stores["train"].source
    assert isinstance(source, Files)
    assert source.select(torch.tensor([1, 0])).name(0) == source.name(1)
