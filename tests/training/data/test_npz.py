"""`data npz`: arrays in the usual forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from dotcnn.training.data.images.arrays import as_images
from dotcnn.training.data.sources.labels import as_labels
from dotcnn.training.data.sources.unfit import Unfit

from .sets import opened, planned, refused

RANDOM = numpy.random.default_rng(0)


def images(count: int, *sizes: int, kind: Any = numpy.uint8) -> Any:
    return RANDOM.integers(0, 256, (count, *(sizes or (8, 8, 3)))).astype(kind)


def labels(count: int, classes: int = 3) -> Any:
    return numpy.arange(count) % classes


def saved(folder: Path, **arrays: Any) -> str:
    numpy.savez(folder / "set.npz", **arrays)
    return f'npz "{folder / "set.npz"}"'


# ---- which arrays ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [("x_train", "y_train"), ("X_train", "Y_train"), ("images", "labels"), ("arr_0", "arr_1"),
     ("train_images", "train_labels"), ("x", "y"), ("data", "target")],
)  # fmt: skip
def test_usual_names(tmp_path: Path, names: tuple[str, str]) -> None:
    first, second = names
    found = opened(saved(tmp_path, **{first: images(30), second: labels(30)}))
    assert found.dataset.name == "set"
    assert found.dataset.classes == ("0", "1", "2")
    assert [part.count for part in found.dataset.parts] == [24, 6]


def test_existing_parts_are_used(tmp_path: Path) -> None:
    data = saved(
        tmp_path, x_train=images(30), y_train=labels(30), x_test=images(9), y_test=labels(9)
    )
    found = opened(data)
    assert [(p.name, p.count) for p in found.dataset.parts] == [("train", 30), ("val", 9)]
    found = opened(f"{data} val=10%")
    assert [(p.name, p.count) for p in found.dataset.parts] == [
        ("train", 27), ("val", 3), ("test", 9),
    ]  # fmt: skip


def test_given_array_names(tmp_path: Path) -> None:
    data = saved(tmp_path, pictures=images(30), kinds=labels(30))
    assert refused(data).code == "no-such-array"
    found = opened(f'{data} images="pictures" labels="kinds"')
    assert found.dataset.train.count == 24
    wrong = refused(f'{data} images="picture" labels="kinds"', head="3")
    assert wrong.span is not None
    assert wrong.span.text == 'images="picture"'
    assert wrong.notes == ("it has `pictures` and `kinds`",)


def test_images_keep_their_labels(tmp_path: Path) -> None:
    pixels = numpy.zeros((30, 8, 8), numpy.uint8) + (numpy.arange(30) * 8)[:, None, None]
    found = opened(saved(tmp_path, x=pixels.astype(numpy.uint8), y=labels(30)), input="1x8x8")
    for part in ("train", "val"):
        for index in range(len(found.stores[part])):
            number = int(found.image(part, index)[0, 0, 0]) // 8
            assert int(found.stores[part].labels[index]) == number % 3
            assert found.name(part, index) == f"#{number}"


# ---- what images may look like ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "wanted", "expected"),
    [
        ((8, 9), (1, 8, 9), (1, 8, 9)),
        ((8, 9, 3), (3, 8, 9), (3, 8, 9)),
        ((3, 8, 9), (3, 8, 9), (3, 8, 9)),
        ((3, 8, 3), (3, 8, 3), (3, 8, 3)),
        ((8, 9, 1), (3, 8, 9), (1, 8, 9)),
        ((1, 8, 9), (3, 8, 9), (1, 8, 9)),
        ((8, 9, 5), (5, 8, 9), (5, 8, 9)),
        ((4, 8, 9), (3, 8, 9), (4, 8, 9)),
        ((2, 28, 28), (1, 28, 28), (2, 28, 28)),
        ((1, 28, 28), (3, 32, 32), (1, 28, 28)),
        ((3, 32, 32), (1, 28, 28), (3, 32, 32)),
        ((32, 32, 3), (1, 28, 28), (3, 32, 32)),
        ((3, 3, 3), (3, 3, 3), (3, 3, 3)),
        ((64,), (1, 8, 8), (1, 8, 8)),
        ((64,), (3, 32, 32), (1, 8, 8)),
        ((192,), (3, 8, 8), (3, 8, 8)),
    ],
)
def test_channels_may_come_first_or_last(
    sizes: tuple[int, ...], wanted: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert as_images(images(5, *sizes), wanted).shape == (5, *expected)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (numpy.array([0, 200, 255], numpy.uint8), [0, 200, 255]),
        (numpy.array([0, 200, 255], numpy.int64), [0, 200, 255]),
        (numpy.array([0, 0.5, 1], numpy.float32), [0, 128, 255]),
        (numpy.array([0, 128.4, 255], numpy.float64), [0, 128, 255]),
        (numpy.array([0, 257 * 7, 65535], numpy.uint16), [0, 7, 255]),
        (numpy.array([0, 0, 1], bool), [0, 0, 255]),
        (numpy.array([0, 0.5, 1], numpy.float16), [0, 128, 255]),
    ],
)
def test_numbers_become_bytes(array: Any, expected: list[int]) -> None:
    found = as_images(array.reshape(1, 1, 3), (1, 1, 3))
    assert found.dtype == torch.uint8
    assert found.flatten().tolist() == expected


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (numpy.array([[[-1.0, 1.0]]]), "from -1 to 1"),
        (numpy.array([[[0, 70000]]]), "from 0 to 70000"),
        (numpy.array([[["a"]]]), "not pixel values"),
        (numpy.zeros((2, 7)), "rows of 7 numbers"),
        (numpy.zeros(3), "is not images"),
        (numpy.zeros((0, 8, 8)), "there are none"),
        (numpy.array([[[float("nan"), 1.0]]]), "some of its pixels are NaN"),
        (numpy.array([[[0.0]], [[float("nan")]], [[1.0]]]), "1 of 3 images .* the first is #1"),
        (numpy.zeros((2, 0, 8), numpy.uint8), "no pixels"),
    ],
)
def test_what_cannot_be_images(array: Any, words: str) -> None:
    with pytest.raises(Unfit, match=words):
        as_images(array, (1, 8, 8))


def test_other_channels(tmp_path: Path) -> None:
    """Arrays may have any number; it has to be the network's."""
    data = saved(tmp_path, x=images(30, 8, 8, 5), y=labels(30))
    assert opened(data, input="5x8x8").image("train", 0).shape == (5, 8, 8)
    wrong = refused(data, input="4x8x8")
    assert (wrong.code, wrong.help) == ("unfit-input", "write `input 5x8x8`")
    assert opened(saved(tmp_path, x=images(30, 8, 8), y=labels(30))).image("train", 0).shape[0] == 3


def test_images_of_another_size_are_fitted(tmp_path: Path) -> None:
    data = saved(tmp_path, x=images(30, 16, 24, 3), y=labels(30))
    assert opened(data).image("train", 0).shape == (3, 8, 8)


# ---- labels ----------------------------------------------------------------------------------


def test_labels_of_any_kind() -> None:
    assert as_labels([numpy.array([5, 7, 5])], ()).classes == ("5", "7")
    assert as_labels([numpy.array(["b", "a"])], ()).classes == ("a", "b")
    assert as_labels([numpy.array([b"b", b"a"])], ()).classes == ("a", "b")
    assert as_labels([numpy.array([[1.0], [0.0]])], ()).classes == ("0", "1")
    assert as_labels([numpy.array([True, False])], ()).classes == ("False", "True")
    found = as_labels([numpy.array([[0, 1], [1, 0]])], ())
    assert (found.task, found.numbers[0].tolist()) == ("classification", [1, 0])
    found = as_labels([numpy.array([2, 0]), numpy.array([1])], ("a", "b", "c", "d"))
    assert (found.classes, found.numbers[1].tolist()) == (("a", "b", "c", "d"), [1])
    found = as_labels([numpy.array(["dog", "cat"])], ("dog", "cat", "cow"))
    assert (found.classes, found.numbers[0].tolist()) == (("dog", "cat", "cow"), [0, 1])


def test_rows_of_labels_may_have_unknown_ones() -> None:
    rows = numpy.array([[1, 0, float("nan")], [0, 1, 0]])
    found = as_labels([rows], ())
    assert found.task == "multi_label"
    assert numpy.array_equal(found.numbers[0], rows.astype(numpy.float32), equal_nan=True)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ([numpy.array([float("nan"), 1])], "whole numbers"),
        ([numpy.array([1]), numpy.array(["a"])], "the same type"),
        ([numpy.array([[0, 2], [1, 0]])], "only 0 and 1"),
        ([numpy.array([], int)], "there are none"),
        ([numpy.zeros((2, 2, 2))], "one number or text"),
        ([numpy.array([[1, 0]]), numpy.array([[1, 0, 0]])], "different lengths"),
        ([numpy.array([[1, 0]]), numpy.array([1])], "others are not"),
        ([numpy.full((3, 2), float("nan"))], "no label is known"),
    ],
)
def test_what_cannot_be_labels(arrays: list[Any], words: str) -> None:
    with pytest.raises(Unfit, match=words):
        as_labels(arrays, ())


def test_the_number_of_class_names_must_agree(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="up to 2, but only 2 class names"):
        as_labels([numpy.array([0, 2])], ("a", "b"))
    with pytest.raises(Unfit, match="3 classes, but 2 class names"):
        as_labels([numpy.array([[1, 0, 0]])], ("a", "b"))
    data = saved(tmp_path, x=images(9), y=labels(9), class_names=["ape", "bee", "cow"])
    assert opened(data).dataset.classes == ("ape", "bee", "cow")


def test_several_classes_at_once(tmp_path: Path) -> None:
    rows = RANDOM.integers(0, 2, (30, 4))
    rows[0] = 1
    found = opened(saved(tmp_path, x=images(30), y=rows), more="")
    assert found.dataset.multi_label
    assert found.dataset.train.count == 24
    batch = next(found.training()(0))
    assert (batch.labels.dtype, batch.labels.shape[1]) == (torch.float32, 4)
    numbers = [int(name[1:]) for name in map(found.name, ["train"] * 24, range(24))]
    assert found.stores["train"].labels.tolist() == rows[numbers].tolist()


def test_classes_without_a_network(tmp_path: Path) -> None:
    assert planned(saved(tmp_path, x=images(30), y=labels(30, 7))).outputs == (7,)


# ---- what is no such file --------------------------------------------------------------------


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    flag = tmp_path / "made" / "by code"

    class Harm:
        def __reduce__(self) -> Any:
            return (Path.touch, (flag,))

    data = saved(tmp_path, x=images(30), y=numpy.array([Harm()] * 30, dtype=object))
    assert refused(data).code == "data-code"
    data = saved(tmp_path, x=numpy.array([Harm()] * 30, dtype=object), y=labels(30))
    assert refused(data).code == "data-code"
    numpy.save(tmp_path / "a.npy", numpy.array([Harm()], dtype=object), allow_pickle=True)
    assert refused('npz "a.npy"', tmp_path, head="3").code == "data-shape"
    assert not flag.exists()


def test_files_that_are_not_archives(tmp_path: Path) -> None:
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "text.npz").write_text("hello")
    numpy.save(tmp_path / "one.npy", images(3))
    (tmp_path / "folder").mkdir()
    codes = {
        name: refused(f'npz "{name}"', tmp_path, head="3").code
        for name in ("empty.npz", "text.npz", "one.npy", "folder", "nowhere.npz")
    }
    assert codes == {
        "empty.npz": "data-damaged",
        "text.npz": "data-damaged",
        "one.npy": "data-shape",
        "folder": "not-a-file",
        "nowhere.npz": "no-such-file",
    }


def test_archives_that_are_damaged(tmp_path: Path) -> None:
    """Cut short or written over anywhere: a message, or, where zip does not mind, the data."""
    numpy.savez_compressed(tmp_path / "set.npz", x=images(30), y=labels(30))
    whole = (tmp_path / "set.npz").read_bytes()
    for cut in range(0, len(whole), len(whole) // 20):
        (tmp_path / "cut.npz").write_bytes(whole[:cut])
        assert refused('npz "cut.npz"', tmp_path, head="3").code == "data-damaged"
        (tmp_path / "over.npz").write_bytes(whole[:cut] + b"\x00\xff" * 8 + whole[cut + 16 :])
        try:
            opened('npz "over.npz"', tmp_path, head="3")
        except Exception as error:  # noqa: BLE001
            assert type(error).__name__ == "SpecError"  # noqa: PT017


def test_counts_have_to_agree(tmp_path: Path) -> None:
    wrong = refused(saved(tmp_path, x=images(30), y=labels(29)))
    assert wrong.code == "data-shape"
    assert "30 images in `x`, but 29 labels in `y`" in wrong.message


def test_images_without_labels(tmp_path: Path) -> None:
    wrong = refused(saved(tmp_path, x_train=images(30)))
    assert "has `x_train`, but not the labels" in wrong.message


@pytest.mark.parametrize(("sizes", "unsure"), [((3, 3, 3), True), ((8, 8, 3), False)])
def test_channels_that_may_be_first_or_last_are_remarked_on(
    tmp_path: Path, sizes: tuple[int, ...], unsure: bool
) -> None:
    found = opened(saved(tmp_path, x=images(30, *sizes), y=labels(30)))
    said = [note for note in found.dataset.notes if "channels x height x width" in note]
    assert bool(said) == unsure
