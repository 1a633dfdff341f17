"""Tables of images and labels as others write them: spreadsheets, Kaggle, other machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dotcnn import SpecError
from dotcnn.training.data.opened import Opened

from .test_table import images, opened


def numbers(data: Opened, part: str = "train") -> list[int]:
    """The number of each image of a part, which its pixels say."""
    return [int(data.image(part, i)[0, 0, 0]) // 20 for i in range(len(data.stores[part]))]


def right(data: Opened) -> bool:
    """Whether each image has the class of its number, 0 or 1 by turns."""
    return all(
        numbers(data, part)[i] % 2 == int(store.labels[i])
        for part, store in data.stores.items()
        for i in range(len(store))
    )


def lines(header: str, name: str, *, between: str = ",", classes: str = "ab") -> str:
    rows = [f"{name.format(n)}{between}{classes[n % 2]}" for n in range(12)]
    return "\n".join([header, *rows] if header else rows) + "\n"


FORMS = {
    "Excel": lines("\ufeffDatei;Klasse", "{}.png", between=";").replace("\n", "\r\n").encode(),
    "Windows": lines("Datei;Größe", "{}.png", between=";").encode("cp1252"),
    "UTF-16": lines("image\tlabel", "{}.png", between="\t").encode("utf-16"),
    "sep=": ("sep=;\n" + lines("image;label", "{}.png", between=";")).encode(),
    "no header": lines("", "{}.png").encode(),
    "blanks": lines("", "photos/{}.png", between="  ").encode(),
    "Kaggle": lines("id,label", "{}").encode(),
    "other case": lines("image,label", "{}.PNG").encode(),
    "another machine": lines("image,label", "/home/somebody/set/photos/{}.png").encode(),
    "another system": lines("image,label", r"C:\Users\me\photos\{}.png").encode(),
    "inside another folder": lines("image,label", "train/photos/{}.png").encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_table_is_read_as_it_comes(tmp_path: Path, form: str) -> None:
    data = opened(images(tmp_path), FORMS[form])
    assert data.dataset.classes == ("a", "b")
    assert sum(part.count for part in data.dataset.parts) == 12
    assert right(data)


def test_paths_are_not_taken_for_those_of_another_folder(tmp_path: Path) -> None:
    """What is left of a path must be a whole path: `dogs/5.png` is not `photos/5.png`."""
    images(tmp_path)
    (tmp_path / "photos" / "5.png").rename(tmp_path / "photos" / "five.png")
    images(tmp_path, 12, "dogs")
    (tmp_path / "dogs" / "5.png").unlink()
    table = lines("image,label", "/set/photos/{}.png")
    with pytest.raises(SpecError, match=r"there is no image /set/photos/5\.png"):
        opened(tmp_path, table)


def test_of_images_of_one_name_those_in_the_folder_of_the_tables_name(tmp_path: Path) -> None:
    images(images(tmp_path, folder="labels"), folder="test")
    assert right(opened(tmp_path, lines("id,label", "{}")))


def test_a_column_says_what_is_for_validation(tmp_path: Path) -> None:
    rows = [f"{n}.png,{'ab'[n % 2]},{n > 7}" for n in range(12)]
    data = opened(images(tmp_path), "\n".join(["image,label,is_valid", *rows]), "")
    assert numbers(data, "val") == [8, 9, 10, 11]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "cat\ndog\neel\n"),
        ("names.csv", "id,name\n0,cat\n1,dog\n2,eel\n"),
        ("names.txt", "cat,0\ndog,1\neel,2\n"),
        ("names.json", json.dumps({"0": "cat", "1": "dog", "2": "eel"})),
        ("names.json", json.dumps(["cat", "dog", "eel"])),
    ],
)
def test_numbers_of_classes_have_names(tmp_path: Path, name: str, text: str) -> None:
    """In a file beside the table, or one that the spec names; also counted from 1."""
    (tmp_path / name).write_text(text)
    given = "" if name == "classes.txt" else f'names="{name}"'
    for classes in ("01", "12"):
        data = opened(images(tmp_path), lines("image,label", "{}.png", classes=classes), given)
        assert data.dataset.classes == ("cat", "dog", "eel")
        if classes == "01":
            assert right(data)


def test_names_that_do_not_fit(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("cat\n")
    table = lines("image,label", "{}.png", classes="07")
    with pytest.raises(SpecError, match="names 1 classes, and the labels are `0` and `7`"):
        opened(images(tmp_path), table, 'names="names.txt"')


def test_columns_that_exclude_one_another(tmp_path: Path) -> None:
    rows = [f"{n}.png,{1 - n % 2}.0,{n % 2}.0" for n in range(12)]
    table = "\n".join(["image,MEL,NEV", *rows])
    data = opened(images(tmp_path), table)
    assert data.dataset.task == "multi_label"
    assert any("`type=class` makes them exclude" in note for note in data.dataset.notes)
    data = opened(tmp_path, table, "type=class")
    assert (data.dataset.task, data.dataset.classes) == ("classification", ("MEL", "NEV"))
    assert right(data)


@pytest.mark.parametrize(
    "line", ['folder "photos" labels="labels.csv"', '"photos" labels="labels.csv"']
)
def test_other_words_for_a_table(tmp_path: Path, line: str) -> None:
    from dotcnn import check

    text = f"network N {{ input 3x8x8, flatten, fc classes }}\ntrain {{ data {line} }}"
    assert 'data table "labels.csv" root="photos"' in "\n".join(
        f"{each.help}" for each in check(text)
    )
