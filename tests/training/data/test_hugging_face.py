"""`data hf`: what `save_to_disk` of Hugging Face's datasets writes. The layout is that of datasets
5.2; the tests that read Arrow files need pyarrow, which is not installed everywhere."""

from __future__ import annotations

import importlib.util
import io
import json
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

from dotcnn import SpecError
from dotcnn.dsl.source import Source
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.data.sources.given import given
from dotcnn.training.request import request

END = "pool avg global\n flatten\n fc classes"
SPEC = 'network N {{ input 3x8x8\n {end} }}\ntrain {{ data hf "set" {arguments} }}'
CLASSES = {"names": ["cat", "dog", "eel"], "_type": "ClassLabel"}
IMAGE = {"_type": "Image"}
NUMBER = {"dtype": "float32", "_type": "Value"}


def encoded(value: int) -> dict[str, object]:
    file = io.BytesIO()
    Image.fromarray(numpy.full((8, 8, 3), value, numpy.uint8)).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def described(folder: Path, features: dict[str, Any], files: int = 1) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"data-{n:05}-of-{files:05}.arrow" for n in range(files)]
    state = {"_data_files": [{"filename": name} for name in names], "_split": None}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))


def saved(
    folder: Path, features: dict[str, Any], columns: dict[str, list[Any]], files: int = 1
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    described(folder, features, files)
    whole = pyarrow.table(columns)
    rows = -(-len(whole) // files)
    for number in range(files):
        path = str(folder / f"data-{number:05}-of-{files:05}.arrow")
        with pyarrow.OSFile(path, "wb") as sink:
            writer = pyarrow.ipc.new_stream(sink, whole.schema)
            writer.write_table(whole.slice(number * rows, rows))
            writer.close()


def opened(root: Path, arguments: str = "", end: str = END) -> Opened:
    text = SPEC.format(end=end, arguments=arguments)
    made = request(Source("net.cnn", text), base=root, here=root)
    return open_data(made.plan, made.base)


def images(count: int) -> list[dict[str, object]]:
    return [encoded(10 * number) for number in range(count)]


@pytest.mark.parametrize("files", [1, 3])
@pytest.mark.parametrize(
    ("feature", "values", "task", "classes"),
    [
        (CLASSES, [0, 1, 2], "classification", ("cat", "dog", "eel")),
        ({"feature": CLASSES, "_type": "Sequence"}, [[], [0], [0, 2]], "multi_label",
         ("cat", "dog", "eel")),
        ({"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"},
         [["x"], ["y", "x"], []], "multi_label", ("x", "y")),
        ({"dtype": "string", "_type": "Value"}, ["a", "b", "a"], "classification", ("a", "b")),
        (NUMBER, [1.5, None, 3.0], "regression", ("label",)),
    ],
)  # fmt: skip
def test_labels_are_what_their_features_say(
    tmp_path: Path, feature: Any, values: list[Any], task: str, classes: tuple[str, ...], files: int
) -> None:
    every = [values[n % 3] for n in range(12)]
    saved(
        tmp_path / "set",
        {"image": IMAGE, "label": feature},
        {"image": images(12), "label": every},
        files,
    )
    data = opened(tmp_path, "val=25% bad=50%")
    assert (data.dataset.task, data.dataset.classes) == (task, classes)
    store = data.stores["train"]
    for index in range(len(store)):
        value = every[int(data.image("train", index)[0, 0, 0]) // 10]
        label = store.labels[index]
        if task == "classification":
            assert classes[int(label)] == (value if isinstance(value, str) else classes[value])
        elif task == "multi_label":
            names = [one if isinstance(one, str) else classes[one] for one in value]
            assert [classes[i] for i in label.nonzero().flatten().tolist()] == sorted(names)
    assert len(data.dataset.bad) == (4 if task == "regression" else 0)


def test_a_second_column_of_images_are_masks(tmp_path: Path) -> None:
    masks = []
    for number in range(12):
        file = io.BytesIO()
        Image.fromarray(numpy.full((8, 8), number % 3, numpy.uint8)).save(file, "PNG")
        masks.append({"bytes": file.getvalue(), "path": None})
    features = {"pixels": IMAGE, "mask": IMAGE}
    saved(tmp_path / "set", features, {"pixels": images(12), "mask": masks})
    data = opened(tmp_path, "val=25%", "conv classes 1x1")
    assert data.dataset.classes == ("0", "1", "2")
    for index in range(len(data.stores["train"])):
        number = int(data.image("train", index)[0, 0, 0]) // 10
        assert int(data.mask("train", index)[4, 4]) == number % 3


def test_parts_and_rows_without_labels(tmp_path: Path) -> None:
    for part, values in (("train", [0, 1, 2, 7] * 3), ("validation", [0, 1, 2]), ("test", [-1])):
        columns = {"image": images(len(values)), "label": values}
        saved(tmp_path / "set" / part, {"image": IMAGE, "label": CLASSES}, columns)
    splits = {"splits": ["train", "validation", "test"]}
    (tmp_path / "set" / "dataset_dict.json").write_text(json.dumps(splits))
    with pytest.raises(SpecError) as caught:
        opened(tmp_path)
    assert "row 3 of train: its label is 7; there are 3 classes" in str(caught.value)
    data = opened(tmp_path, "bad=40%")
    assert [(part.name, part.count) for part in data.dataset.parts] == [("train", 9), ("val", 3)]
    assert "test has no labels and is left out" in data.dataset.notes


def test_files_that_are_damaged(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    described(tmp_path / "set", {"image": IMAGE, "label": CLASSES})
    (tmp_path / "set" / "data-00000-of-00001.arrow").write_bytes(b"no arrow file")
    with pytest.raises(SpecError, match="cannot be read"):
        opened(tmp_path)


def test_without_pyarrow_it_is_asked_for(tmp_path: Path) -> None:
    if importlib.util.find_spec("pyarrow") is not None:
        pytest.skip("pyarrow is installed")
    described(tmp_path / "set", {"image": IMAGE, "label": {"dtype": "string", "_type": "Value"}})
    with pytest.raises(SpecError, match="need pyarrow"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("features", "arguments", "said"),
    [
        ({"label": CLASSES}, "", "has no column of images"),
        ({"image": IMAGE, "label": CLASSES}, "label=breed", "has no column `breed`"),
        ({"image": IMAGE, "a": NUMBER, "b": NUMBER}, "", "has 2 columns that may be labels"),
        ({"image": IMAGE}, "", "has 0 columns that may be labels"),
    ],
)
def test_columns_that_are_not_there(
    tmp_path: Path, features: dict[str, Any], arguments: str, said: str
) -> None:
    described(tmp_path / "set", features)
    with pytest.raises(SpecError, match=said):
        opened(tmp_path, arguments)


def test_a_folder_of_one_is_known_by_its_files(tmp_path: Path) -> None:
    described(tmp_path / "set", {"image": IMAGE, "label": CLASSES})
    assert "data hf" in str(given("set", tmp_path).call.span.source.text)
    (tmp_path / "set" / "state.json").unlink()
    with pytest.raises(SpecError, match="is not a saved Hugging Face data set"):
        opened(tmp_path)


# ---- Parquet files of the Hub --------------------------------------------------------------------


@pytest.fixture
def data_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Hugging Face's own library; and a cache folder for the copies of this test."""
    monkeypatch.setenv("DOTCNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "theirs"))
    return pytest.importorskip("datasets")


def written_by(datasets: Any, count: int = 24) -> Any:
    """A set of theirs: JPEG files in which every image differs."""
    random = numpy.random.default_rng(0)
    pictures = []
    for number in range(count):
        file = io.BytesIO()
        pixels = random.integers(0, 255, (8, 8, 3)).astype(numpy.uint8)
        Image.fromarray(pixels).save(file, "JPEG")
        pictures.append({"bytes": file.getvalue(), "path": f"{number}.jpg"})
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog", "eel"])}
    )
    columns = {"image": pictures, "label": [number % 3 for number in range(count)]}
    return datasets.Dataset.from_dict(columns, features=features)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["saved", "saved in parts", "hub", "converted", "file"])
def test_pixels_are_those_of_their_library(tmp_path: Path, data_sets: Any, form: str) -> None:
    whole = written_by(data_sets)
    parts = {"train": whole.select(range(16)), "validation": whole.select(range(16, 24))}
    root = tmp_path / "set"
    if form == "saved":
        parts["train"].save_to_disk(str(root))
    elif form == "saved in parts":
        data_sets.DatasetDict(parts).save_to_disk(str(root))
    elif form == "file":
        parts["train"].to_parquet(str(root))
        root.rename(tmp_path / "set.parquet")
        text = SPEC.format(end=END, arguments="").replace('"set"', '"set.parquet"')
    else:
        for part, one in parts.items():
            name = f"data/{part}-{{}}-of-00002" if form == "hub" else f"default/{part}/000{{}}"
            for place in range(2):
                file = root / f"{name.format(f'0000{place}' if form == 'hub' else place)}.parquet"
                file.parent.mkdir(parents=True, exist_ok=True)
                one.shard(2, place, contiguous=True).to_parquet(str(file))
    if form == "file":
        made = request(Source("net.cnn", text), base=tmp_path, here=tmp_path)
        data = open_data(made.plan, made.base)
    else:
        data = opened(tmp_path)
    assert data.dataset.classes == ("cat", "dog", "eel")
    divided = form not in ("saved", "file")
    seen = 0
    for part, theirs in (("train", "train"), ("val", "validation" if divided else "train")):
        for index in range(len(data.stores[part])):
            row = int(data.name(part, index).split()[1])
            their = parts[theirs][row]
            wanted = numpy.asarray(their["image"]).transpose(2, 0, 1)
            assert (data.image(part, index).numpy() == wanted).all()
            assert int(data.stores[part].labels[index]) == their["label"]
            seen += 1
    assert seen == (24 if divided else 16)


def test_parquet_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without their metadata; paths of images are relative to the file."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setenv("DOTCNN_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "set"
    folder.mkdir()
    rows = images(12)
    (folder / "a.png").write_bytes(rows[0]["bytes"])  # type: ignore[arg-type]
    rows[0] = {"bytes": None, "path": "a.png"}
    labels = ["cat" if number % 2 else "dog" for number in range(12)]
    file = folder / "train-00000-of-00001.parquet"
    parquet.write_table(pyarrow.table({"image": rows, "label": labels}), str(file))
    assert [part.count for part in opened(tmp_path).dataset.parts] == [10, 2]
    assert opened(tmp_path).dataset.classes == ("cat", "dog")
    assert str(given(str(folder), tmp_path).call.span.text).startswith("data hf")  # type: ignore[union-attr]
    file.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(SpecError, match="cannot be read"):
        opened(tmp_path)
    file.rename(folder / "test.parquet")
    with pytest.raises(SpecError, match="has no files for training; it has test"):
        opened(tmp_path)
    (folder / "other").mkdir()
    (folder / "other" / "train.parquet").touch()
    with pytest.raises(SpecError, match="has 2 data sets"):
        opened(tmp_path)
