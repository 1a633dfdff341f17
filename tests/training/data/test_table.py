"""`data table`: images and labels from a CSV file, whatever its columns are called."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
from PIL import Image

from dotcnn import SpecError
from dotcnn.dsl.source import Source
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.data.sources import table_file
from dotcnn.training.request import request

SPEC = """
network N {{ input 3x8x8
  conv 4 3x3
  pool avg global
  flatten
  fc classes
}}
train {{ data table "labels.csv" {arguments}
  {more}
}}
"""


def images(root: Path, count: int = 12, folder: str = "photos", ending: str = ".png") -> Path:
    (root / folder).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = numpy.full((8, 8, 3), 20 * number, numpy.uint8)
        Image.fromarray(pixels).save(root / folder / f"{number}{ending}")
    return root


def opened(root: Path, table: str | bytes, arguments: str = "val=25%", more: str = "") -> Opened:
    (root / "labels.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    text = SPEC.format(arguments=arguments, more=more)
    made = request(Source("net.cnn", text), base=root, here=root)
    return open_data(made.plan, made.base)


def failure(root: Path, table: str, arguments: str = "", more: str = "") -> str:
    with pytest.raises(SpecError) as caught:
        opened(root, table, arguments, more)
    return str(caught.value)


def rows(header: str, *columns: object, count: int = 12) -> str:
    lines = [
        ",".join(str(column(number)) if callable(column) else str(column) for column in columns)
        for number in range(count)
    ]
    return "\n".join([header, *lines]) + "\n"


def file(number: int) -> str:
    return f"photos/{number}.png"


@pytest.mark.parametrize(
    "name",
    [file, lambda n: f"{n}.png", lambda n: n, lambda n: f"photos\\{n}.png"],
)
def test_images_are_found_by_path_name_or_stem(tmp_path: Path, name: object) -> None:
    data = opened(images(tmp_path), rows("id,breed", name, lambda n: ["cat", "dog"][n % 2]))
    assert data.dataset.task == "classification"
    assert data.dataset.classes == ("cat", "dog")
    assert [part.count for part in data.dataset.parts] == [9, 3]
    assert "images are in the column `id`, the class in `breed`" in data.dataset.notes


def test_labels_belong_to_their_images(tmp_path: Path) -> None:
    data = opened(images(tmp_path), rows("image,label", file, lambda n: n % 3))
    store = data.stores["train"]
    for index in range(len(store)):
        number = int(data.image("train", index)[0, 0, 0]) // 20
        assert int(store.labels[index]) == number % 3


def test_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    data = opened(images(tmp_path), rows("image,label", file, lambda n: 2 + n % 2 * 8))
    assert data.dataset.classes == ("2", "10")


@pytest.mark.parametrize(
    ("header", "columns", "arguments", "task", "classes"),
    [
        ("image,age", [lambda n: n + 0.5], "", "regression", ("age",)),
        ("image,age", [lambda n: n], "type=numbers", "regression", ("age",)),
        ("image,x,y", [lambda n: n, lambda n: 2.5 * n], "label=(x, y)", "regression", ("x", "y")),
        ("image,sun,sea", [lambda n: n % 2, lambda n: n // 9], "", "multi_label", ("sun", "sea")),
        ("image,tags", [lambda n: "|".join("ab"[: n % 3])], "", "multi_label", ("a", "b")),
    ],
)  # fmt: skip
def test_what_labels_are_follows_from_their_values(
    tmp_path: Path,
    header: str,
    columns: list[object],
    arguments: str,
    task: str,
    classes: tuple[str, ...],
) -> None:
    data = opened(images(tmp_path), rows(header, file, *columns), f"val=25% {arguments}")
    assert (data.dataset.task, data.dataset.classes) == (task, classes)


def test_a_loss_of_numbers_makes_whole_numbers_numbers(tmp_path: Path) -> None:
    data = opened(images(tmp_path), rows("image,age", file, lambda n: n), "", "loss mae")
    assert data.dataset.task == "regression"


def test_masks_of_a_table(tmp_path: Path) -> None:
    images(tmp_path)
    (tmp_path / "m").mkdir()
    for number in range(12):
        mask = numpy.full((8, 8), number % 3, numpy.uint8)
        Image.fromarray(mask).save(tmp_path / "m" / f"mask{number}.png")
    table = rows("image,mask", file, lambda n: f"m/mask{n}.png")
    (tmp_path / "labels.csv").write_text(table)
    text = 'network N { input 3x8x8\nconv classes 1x1 }\ntrain { data table "labels.csv" val=25% }'
    made = request(Source("net.cnn", text), base=tmp_path, here=tmp_path)
    data = open_data(made.plan, made.base)
    assert (data.dataset.task, data.dataset.classes) == ("segmentation", ("0", "1", "2"))
    number = int(data.image("train", 4)[0, 0, 0]) // 20
    assert int(data.mask("train", 4)[3, 3]) == number % 3


def test_other_separators_and_a_column_of_parts(tmp_path: Path) -> None:
    table = rows("file;split;name", file, lambda n: "val" if n > 7 else "train", lambda n: n % 2)
    data = opened(images(tmp_path), table.replace(",", ";"), "")
    assert [(part.name, part.count) for part in data.dataset.parts] == [("train", 8), ("val", 4)]


def test_a_group_stays_together(tmp_path: Path) -> None:
    table = rows("image,label,patient", file, lambda n: n % 2, lambda n: f"p{n // 3}")
    data = opened(images(tmp_path), table, "val=50% group=patient label=label")
    parts = {
        part: {int(data.image(part, i)[0, 0, 0]) // 60 for i in range(len(data.stores[part]))}
        for part in ("train", "val")
    }
    assert not parts["train"] & parts["val"]
    assert parts["train"] | parts["val"] == {0, 1, 2, 3}


def test_bad_rows_are_named_and_tolerated(tmp_path: Path) -> None:
    table = rows("image,age", file, lambda n: {3: "old", 5: "", 7: "nan"}.get(n, n + 0.5))
    table += "photos/99.png,3.5\n"
    text = failure(images(tmp_path), table)
    assert "4 of 13 rows in labels.csv cannot be used" in text
    assert "row 5 of labels.csv: `old` in `age` is not a number" in text
    assert "row 7 of labels.csv: it has no number" in text
    assert "row 14 of labels.csv: there is no image photos/99.png" in text
    assert opened(tmp_path, table, "val=25% bad=40%").dataset.train.count == 7


def with_commas(number: int) -> str:
    return f"{number * 1.37 - 5:.2f}".replace(".", ",")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas(tmp_path: Path, separator: str) -> None:
    lines = [f"photos/{number}.png{separator}{with_commas(number)}" for number in range(12)]
    table = "\n".join([f"datei{separator}winkel", *lines]) + "\n"
    data = opened(images(tmp_path), table)
    assert data.dataset.task == "regression"
    assert "`winkel` has decimal commas" in " ".join(data.dataset.notes)


@pytest.mark.parametrize(
    ("header", "cell"), [("file;tags", "{0},{1}"), ("file;kinds", "{0},{1},{2}")]
)
def test_lists_of_numbers_have_no_decimal_commas(tmp_path: Path, header: str, cell: str) -> None:
    lines = [f"photos/{n}.png;{cell.format(n % 3, 3 + n % 2, 7)}" for n in range(12)]
    data = opened(images(tmp_path), "\n".join([header, *lines]) + "\n")
    assert data.dataset.task == "multi_label"


@pytest.mark.parametrize(
    ("table", "arguments", "said"),
    [
        ("image,label\n", "", "has a header and no rows"),
        ("image\na.png\n", "", "is not a table"),
        ("image,label\nphotos/1.png,a,b\n", "", "row 2 of labels.csv has 3 columns"),
        ("image,label\nphotos/1.png,a\n", "label=breed", "the table has no column `breed`"),
        ("image,label\nx.png,a\n", "", "no column of labels.csv has the names of images"),
        ("image,a,b\nphotos/1.png,x,2\nphotos/2.png,y,3\n", "", "has 2 columns that may be labels"),
        ("image,image\nphotos/1.png,1\n", "", "has two columns `image`"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, table: str, arguments: str, said: str) -> None:
    assert said in failure(images(tmp_path), table, arguments)


def test_a_long_header_and_short_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte of them would be ten billion cells; and looking for a column that is there twice
    takes a moment, not minutes."""
    monkeypatch.setattr(table_file, "MAX_MISSING", 10**5)
    images(tmp_path)
    header = ",".join(["image", "label", *map(str, range(20_000))])
    assert "fewer than the 20,002 columns" in failure(tmp_path, rows(header, file, 0))
    assert "two columns `7`" in failure(tmp_path, f"{header},7\n" + "a," * 20_002 + "a\n")


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    text = SPEC.format(arguments="", more="")
    with pytest.raises(SpecError, match=r"there is no file labels\.csv"):
        request(Source("net.cnn", text), base=tmp_path, here=tmp_path)


def tags(root: Path, header: str, cells: list[str], arguments: str = "val=25%") -> Opened:
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    return opened(root, rows(header, file, lambda n: quoted[n % len(cells)]), arguments)


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("image,tags", ["cat;dog", "cat", "", "dog"]),
        ("image,tags", ["cat dog", "cat", "dog", "dog cat"]),
        ("image,label", ["cat, dog", "cat", "dog", "dog, cat"]),
        ("image,label", ['["cat", "dog"]', '["cat"]', "[]", '["dog"]']),
        ("image,label", ["['cat', 'dog']", "['cat']", "[]", "['dog']"]),
        ("image,label", ["[cat dog]", "[cat]", "[]", "[dog]"]),
    ],
)
def test_several_classes_in_a_cell(tmp_path: Path, header: str, cells: list[str]) -> None:
    data = tags(images(tmp_path), header, cells)
    assert (data.dataset.task, data.dataset.classes) == ("multi_label", ("cat", "dog"))
    store = data.stores["train"]
    for index in range(len(store)):
        cell = cells[int(data.image("train", index)[0, 0, 0]) // 20 % len(cells)]
        assert store.labels[index].tolist() == ["cat" in cell, "dog" in cell]


@pytest.mark.parametrize(
    "names", [["Sparrow, house", "Robin", "Finch, gold"], ["great dane", "golden retriever", "pug"]]
)
def test_names_of_classes_may_have_commas_and_blanks(tmp_path: Path, names: list[str]) -> None:
    data = tags(images(tmp_path), "image,class", names)
    assert (data.dataset.task, data.dataset.classes) == ("classification", tuple(sorted(names)))


@pytest.mark.parametrize("yes_no", [("True", "False"), ("1", "-1"), ("yes", "no")])
def test_columns_of_yes_and_no(tmp_path: Path, yes_no: tuple[str, str]) -> None:
    """Among others, which are no labels: those with two values are."""
    columns = [lambda n: 7 * n, lambda n: yes_no[n % 2], lambda n: yes_no[n > 8]]
    data = opened(images(tmp_path), rows("image,width,sun,sea", file, *columns))
    assert (data.dataset.task, data.dataset.classes) == ("multi_label", ("sun", "sea"))
    number = int(data.image("train", 3)[0, 0, 0]) // 20
    assert data.stores["train"].labels[3].tolist() == [number % 2 == 0, number <= 8]


def test_a_list_that_is_none_is_named(tmp_path: Path) -> None:
    cells = ['["a"]', '["b", "a"]', '["a', '["b"]']
    with pytest.raises(SpecError) as caught:
        tags(images(tmp_path), "image,label", cells)
    assert 'row 4 of labels.csv: `["a` in `label` is not a list of classes' in str(caught.value)


def test_an_image_in_several_rows(tmp_path: Path) -> None:
    """Used once; with other labels, it is wrong, unless it may have several classes."""
    table = rows("image,label", file, lambda n: "ab"[n % 2])
    data = opened(images(tmp_path), table + "photos/0.png,a\n")
    assert sum(part.count for part in data.dataset.parts) == 12
    assert "1 row repeats an image with the same labels" in "\n".join(data.dataset.notes)
    text = failure(tmp_path, table + "photos/0.png,b\n")
    assert "row 14 of labels.csv: its image is in row 2, too, with another label" in text
    both = opened(tmp_path, table + "photos/0.png,b\n", "val=25% type=several")
    sums = [int(store.labels.sum()) for store in both.stores.values()]
    assert sum(sums) == 13


def fold(root: Path, number: int, more: str = "", columns: str = "") -> tuple[set[int], set[int]]:
    table = rows("image,label,patient", file, lambda n: n % 2, lambda n: f"p{n // 2}")
    data = opened(root, table, f"folds=3 fold={number} label=label {columns}", more)
    train, val = (
        {int(data.image(part, index)[0, 0, 0]) // 20 for index in range(len(data.stores[part]))}
        for part in ("train", "val")
    )
    assert not train & val
    assert len(train | val) == 12
    return train, val


@pytest.mark.parametrize("grouped", [False, True])
def test_folds_cover_all_images_and_have_the_same_classes(tmp_path: Path, grouped: bool) -> None:
    columns = "group=patient" if grouped else ""
    parts = [fold(images(tmp_path), number, columns=columns)[1] for number in (1, 2, 3)]
    assert sorted(image for part in parts for image in part) == list(range(12))
    for part in parts:
        assert [sum(image % 2 == label for image in part) for label in (0, 1)] == [2, 2]
        if grouped:
            assert len({image // 2 for image in part}) == 2
    assert parts[0] != fold(tmp_path, 1, "split seed=1", columns)[1]


@pytest.mark.parametrize(
    ("arguments", "more", "said"),
    [
        ("folds=3 fold=4", "", "there is no fold 4 of 3"),
        ("fold=2", "", "there is one fold, and no number of folds"),
        ("folds=3 val=20%", "", "and so does `val`"),
        ("folds=3", "split test=20%", "and so does `split`"),
        ("folds=30", "", "12 images cannot be divided into 30 folds"),
    ],
)
def test_folds_that_cannot_be(tmp_path: Path, arguments: str, more: str, said: str) -> None:
    table = rows("image,label", file, lambda n: n % 2)
    assert said in failure(images(tmp_path), table, arguments, more)


def test_weights_say_how_often_an_image_is_drawn(tmp_path: Path) -> None:
    table = rows("image,label,weight", file, lambda n: n % 2, lambda n: (0, 1, 3)[n % 3])
    data = opened(images(tmp_path), table, "val=25% label=label weight=weight")
    times: dict[int, int] = {}
    batches = data.training(batch=4)
    for epoch in range(40):
        for _, _, indices in batches(epoch):
            for index in indices.tolist():
                number = int(data.image("train", index)[0, 0, 0]) // 20
                times[number % 3] = times.get(number % 3, 0) + 1
    there = [int(data.image("train", i)[0, 0, 0]) // 20 % 3 for i in range(9)]
    share = 3 * there.count(2) / (3 * there.count(2) + there.count(1))
    assert 0 not in times
    assert sum(times.values()) == 40 * 9
    assert times[2] / 360 == pytest.approx(share, abs=0.03)


def test_weights_that_are_none_are_named(tmp_path: Path) -> None:
    table = rows("image,label,weight", file, lambda n: n % 2, lambda n: -1 if n == 4 else 1)
    text = failure(images(tmp_path), table, "label=label weight=weight")
    assert "row 6 of labels.csv: `-1` in `weight` is not a weight, 0 or more" in text
    table = rows("image,label,weight", file, lambda n: n % 2, 0)
    assert "all weights in `weight` are 0" in failure(tmp_path, table, "label=label weight=weight")


def test_class_numbers_where_some_are_missing(tmp_path: Path) -> None:
    """As pandas writes them: `1.0`, and nothing or `nan`."""
    table = rows("image,label", file, lambda n: {3: "nan", 6: ""}.get(n, f"{n % 2}.0"))
    text = failure(images(tmp_path), table)
    assert "row 5 of labels.csv: `nan` in `label` is not a class" in text
    assert "row 8 of labels.csv: `label` is empty" in text
    data = opened(tmp_path, table, "val=25% bad=20%")
    assert (data.dataset.task, data.dataset.classes) == ("classification", ("0", "1"))
