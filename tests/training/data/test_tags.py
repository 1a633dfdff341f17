"""`data folder` where an image may have several classes: texts of tags, or several folders."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy
import pytest
from PIL import Image

from dotcnn import SpecError
from dotcnn.dsl.source import Source
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.request import request

SPEC = """
network N {{ input 3x8x8
  pool avg global
  flatten
  fc classes }}
train {{ data folder "set" {arguments} }}
"""


def image(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(numpy.full((8, 8, 3), 10 * number, numpy.uint8)).save(path)


def opened(root: Path, arguments: str = "val=25%") -> Opened:
    made = request(Source("net.cnn", SPEC.format(arguments=arguments)), base=root, here=root)
    return open_data(made.plan, made.base)


def labels(data: Opened) -> dict[int, list[str]]:
    """The classes of each image, by its number."""
    found = {}
    for part, store in data.stores.items():
        for index in range(len(store)):
            number = int(data.image(part, index)[0, 0, 0]) // 10
            row = store.labels[index]
            places = row.nonzero().flatten().tolist() if row.ndim else [int(row)]
            found[number] = [data.dataset.classes[place] for place in places]
    return found


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["sun, sea", "sea", "", "sun"], [["sea", "sun"], ["sea"], [], ["sun"]]),
        (["sun sea", "sea", "", "sun"], [["sea", "sun"], ["sea"], [], ["sun"]]),
        (["blue sky\nsea\n", "sea\n"], [["blue sky", "sea"], ["sea"]]),
        (["sun\n", "sea\n"], [["sun"], ["sea"]]),
    ],
)
def test_a_text_of_tags_beside_each_image(
    tmp_path: Path, texts: list[str], expected: list[list[str]]
) -> None:
    for number in range(12):
        image(tmp_path / f"set/{number}.png", number)
        (tmp_path / f"set/{number}.txt").write_text(texts[number % len(texts)])
    data = opened(tmp_path)
    assert labels(data) == {n: expected[n % len(texts)] for n in range(12)}
    one = all(len(names) == 1 for names in expected)
    assert data.dataset.task == ("classification" if one else "multi_label")


def test_texts_that_lack_or_are_boxes(tmp_path: Path) -> None:
    for number in range(12):
        image(tmp_path / f"set/train/{number}.png", number)
        (tmp_path / f"set/train/{number}.txt").write_text("sun,sea" if number % 2 else "sea")
    (tmp_path / "set/train/3.txt").unlink()
    with pytest.raises(SpecError) as caught:
        opened(tmp_path)
    assert "3.png: there is no 3.txt, which would have its tags" in str(caught.value)
    for number in range(12):
        (tmp_path / f"set/train/{number}.txt").write_text("0 0.5 0.5 0.25 0.25\n")
    with pytest.raises(SpecError, match="are boxes of objects, not tags"):
        opened(tmp_path)


def in_folders(root: Path, both: int, *, other_names: bool = False) -> None:
    """12 images of a, 12 of b, and so many of `a` that are in `b`, too."""
    for number in range(24):
        image(root / f"set/{'ab'[number // 12]}/{number}.png", number)
    for number in range(both):
        name = f"copy{number}.png" if other_names else f"{number}.png"
        shutil.copy(root / f"set/a/{number}.png", root / f"set/b/{name}")


def test_the_same_image_in_several_folders(tmp_path: Path) -> None:
    in_folders(tmp_path, 4)
    data = opened(tmp_path)
    assert data.dataset.task == "multi_label"
    found = labels(data)
    assert len(found) == 24
    assert found[2] == ["a", "b"]
    assert found[7] == ["a"]
    assert "4 images are in the folders of several classes" in "\n".join(data.dataset.notes)
    assert opened(tmp_path, "val=25% type=class").dataset.task == "classification"


def test_a_few_are_a_mistake_that_is_named(tmp_path: Path) -> None:
    in_folders(tmp_path, 1)
    data = opened(tmp_path)
    assert data.dataset.task == "classification"
    assert "1 image is in several classes: a/0.png = b/0.png" in data.dataset.notes


def test_other_names_count_if_several_classes_are_asked_for(tmp_path: Path) -> None:
    in_folders(tmp_path, 4, other_names=True)
    assert opened(tmp_path).dataset.task == "classification"
    found = labels(opened(tmp_path, "val=25% type=several"))
    assert (len(found), found[3]) == (24, ["a", "b"])


def test_the_same_name_with_another_content_is_another_image(tmp_path: Path) -> None:
    for number in range(24):
        image(tmp_path / f"set/{'ab'[number // 12]}/{number % 12}.png", number)
    assert opened(tmp_path).dataset.task == "classification"
