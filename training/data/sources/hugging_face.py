"""`data hf "path"`: a data set that Hugging Face's `save_to_disk` wrote, or Parquet files from the
Hub (`hub_parquet.py`). Needs pyarrow, and neither `datasets` nor a network.

What its columns are, their features say: `Image`, `ClassLabel` with names, lists of them where an
image may have several classes, numbers, texts; a second column of images are masks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....compiler.plan.data import PARTS, HuggingFace
from ...untrusted.bad_file import BadFile as Unreadable
from ...untrusted.json_text import load_json
from ...untrusted.open_file import read_text
from ..diagnostic import listed, problem
from ..left_out import BadFile
from .file_names import clean, resolve
from .hub_parquet import as_arrow, features_of, parquet_below, parts_of_files
from .scan_masks import classes_in_masks

if TYPE_CHECKING:
    from ..loader.arrow_files import ArrowColumn
    from ..loader.image_source import Contents, ImageSource

MAX_BYTES = 2**26
_IMAGES = ("image", "img", "pixel", "pixels", "picture", "photo", "pixel_values")
_LABELS = (
    "label", "labels", "fine_label", "class", "classes", "target", "tags", "category", "mask",
    "annotation", "segmentation", "seg_map",
)  # fmt: skip


@dataclass(frozen=True)
class _Part:
    files: tuple[str, ...]
    features: Mapping[str, Any]
    folder: str = ""
    """The folder that paths of images are relative to; if empty, that of the files."""


@dataclass(frozen=True)
class _Labels:
    """What the columns of labels are."""

    task: str
    columns: tuple[str, ...]
    names: tuple[str, ...] = ()
    """The names of class numbers, if the features have them."""


def hugging_face(data: HuggingFace, base: Path, *, as_numbers: bool = False) -> Contents:
    """The data set in a folder; raises SpecError."""
    import torch

    from ..images.mask_file import MaskCode
    from ..loader.arrow_files import ArrowFiles, ArrowMasks
    from ..loader.image_source import Contents
    from ..loader.packed_strings import Strings

    parts = _parts(data, resolve(data.path, base))
    image, labels = _columns(data, parts["train"].features, as_numbers)
    values = {part: _values(data, one, labels) for part, one in parts.items()}
    classes, masks = labels.names, labels.task == "segmentation"
    code = None
    if masks:
        columns = [_column(data, one, labels.columns[0]) for one in parts.values()]
        classes, two_valued = classes_in_masks(data, _reads(columns))
        code = MaskCode(len(classes), data.ignored, None, two_valued)
    elif labels.task == "regression":
        classes = labels.columns
    elif not classes:
        known = {name for each in values.values() for value in each for name in _texts(value)}
        classes = tuple(sorted(known, key=int if all(map(_is_whole, known)) else None))
    index = {name: number for number, name in enumerate(classes)}
    sources: dict[str, ImageSource] = {}
    bad: list[BadFile] = []
    named = listed([f"`{clean(name)}`" for name in labels.columns])
    notes = [f"images are in the column `{clean(image)}`, labels in {named}"]
    for part, one in parts.items():
        column = _column(data, one, image)
        good, numbers = [], []
        for row, value in enumerate(values[part]):
            number = 0 if masks else _label(value, labels, index)
            if isinstance(number, str):
                bad.append(BadFile(f"row {row} of {part}", number))
                continue
            good.append(row)
            numbers.append(number)
        if not good and part != "train":
            notes.append(f"{part} has no labels and is left out")
            bad = [each for each in bad if not each.name.endswith(f" of {part}")]
            continue
        rows = torch.tensor(good, dtype=torch.int64)
        kind = torch.int64 if labels.task in ("classification", "segmentation") else torch.float32
        sources[part] = ArrowFiles(
            str(Path(one.files[0]).parent),
            Strings(f"row {row} of {part}" for row in good),
            torch.tensor(numbers, dtype=kind),
            (ArrowMasks(_column(data, one, labels.columns[0]), rows, code),) if code else (),
            column=column,
            rows=rows,
        )
    return Contents(
        clean(resolve(data.path, base).resolve().name),
        classes,
        sources,
        origin=data.path,
        notes=tuple(notes),
        task=labels.task,
        bad=tuple(bad),
    )


def count_in_hugging_face(data: HuggingFace, base: Path, *, as_numbers: bool = False) -> int:
    """The number of classes, or of numbers for each image."""
    parts = _parts(data, resolve(data.path, base))
    _, labels = _columns(data, parts["train"].features, as_numbers)
    if labels.task == "regression":
        return len(labels.columns)
    if labels.task == "segmentation":
        columns = [_column(data, one, labels.columns[0]) for one in parts.values()]
        return len(classes_in_masks(data, _reads(columns))[0])
    if labels.names:
        return len(labels.names)
    every = [value for one in parts.values() for value in _values(data, one, labels)]
    return len({name for value in every for name in _texts(value)})


# ---- the folder ------------------------------------------------------------------------------


def is_saved(folder: Path) -> bool:
    """Whether a folder is what `save_to_disk` writes."""
    return any((folder / name).is_file() for name in ("dataset_dict.json", "state.json"))


def _parts(data: HuggingFace, root: Path) -> dict[str, _Part]:
    """The files of each part, and what is in their columns."""
    if root.is_file() or (root.is_dir() and not is_saved(root)):
        files = [root] if root.is_file() else parquet_below(root)
        if files:
            return _parquet(data, root.parent if root.is_file() else root, files)
    if not root.is_dir():
        raise problem(
            "no-such-folder",
            f"there is no folder {data.path}",
            data,
            notes=(f"looked for at {clean(str(root.absolute()))}",),
        )
    if (root / "dataset_dict.json").is_file():
        splits = _json(data, root / "dataset_dict.json").get("splits")
        if not isinstance(splits, list) or not all(isinstance(name, str) for name in splits):
            raise problem("data-damaged", f"{data.path} names no splits", data)
        folders = {}
        for part, names in PARTS.items():
            found = next((name for name in splits if name.lower() in names), None)
            if found is not None:
                folders[part] = root / Path(found).name
        if "train" not in folders:
            shown = listed([f"`{clean(name)}`" for name in splits])
            help = 'name one of them: `data hf "…/NAME"`'
            message = f"{data.path} has no part `train`; it has {shown}"
            raise problem("no-training-folder", message, data, help=help)
    elif is_saved(root):
        folders = {"train": root}
    else:
        raise problem(
            "not-a-folder",
            f"{data.path} is not a saved Hugging Face data set: it has neither `state.json` nor"
            " Parquet files",
            data,
            help='write it with `dataset.save_to_disk("…")`; image files are `data folder "…"`',
        )
    return {part: _part(data, folder) for part, folder in folders.items()}


def _parquet(data: HuggingFace, root: Path, files: Sequence[Path]) -> dict[str, _Part]:
    """The parts of Parquet files, which are copied as Arrow files."""
    parts = {}
    for part, own in parts_of_files(data, root, files).items():
        _must_have_pyarrow(data)
        copies = tuple([str(as_arrow(data, file)) for file in own])
        schemas = [_table(data, copy).schema for copy in copies]
        for file, schema in zip(own, schemas, strict=True):
            if not schema.equals(schemas[0]):
                message = f"{clean(file.name)} has other columns than {clean(own[0].name)}"
                raise problem("data-damaged", message, data)
        parts[part] = _Part(copies, features_of(data, schemas[0]), str(own[0].parent))
    return parts


def _part(data: HuggingFace, folder: Path) -> _Part:
    state = _json(data, folder / "state.json")
    features = _json(data, folder / "dataset_info.json").get("features")
    entries = state.get("_data_files")
    named = isinstance(entries, list) and all(
        isinstance(one, dict) and isinstance(one.get("filename"), str) for one in entries
    )
    if not named or not entries or not isinstance(features, dict):
        message = f"{clean(str(folder))} does not say which files and columns it has"
        raise problem("data-damaged", message, data)
    files = tuple(str(folder / Path(one["filename"]).name) for one in entries)
    return _Part(files, features)


def _json(data: HuggingFace, path: Path) -> Mapping[str, Any]:
    try:
        value = load_json(read_text(path, MAX_BYTES))
    except Unreadable as error:
        missing = error.kind == "missing"
        message = f"there is no {clean(str(path))}" if missing else f"{clean(str(path))} {error}"
        raise problem("data-damaged", message, data) from None
    if not isinstance(value, dict):
        raise problem("data-damaged", f"{clean(str(path))} is damaged", data)
    return value


def _column(data: HuggingFace, part: _Part, name: str) -> ArrowColumn:
    from ..loader.arrow_files import ArrowColumn

    starts, rows = [], 0
    for file in part.files:
        starts.append(rows)
        rows += len(_table(data, file))
    return ArrowColumn(part.files, tuple(starts), name, part.folder)


def _must_have_pyarrow(data: HuggingFace) -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise problem(
            "not-installed",
            f"{data.path} is kept in Arrow or Parquet files, which need pyarrow",
            data,
            help="pip install pyarrow",
        ) from None


def _table(data: HuggingFace, file: str) -> Any:
    _must_have_pyarrow(data)
    from ..loader.arrow_files import opened

    try:
        return opened(file)
    except Exception as error:  # noqa: BLE001 - whatever pyarrow raises for a damaged file
        reason = str(error).partition("\n")[0]
        raise problem("data-damaged", f"{clean(file)} cannot be read: {reason}", data) from None


# ---- columns and labels ----------------------------------------------------------------------


def _columns(
    data: HuggingFace, features: Mapping[str, Any], as_numbers: bool
) -> tuple[str, _Labels]:
    """The column of images, and what the labels are."""
    images = [name for name, feature in features.items() if _type(feature) == "Image"]
    if data.image is not None:
        image = _named(data, features, "image", data.image)
        if image not in images:
            message = f"the column `{image}` has no images"
            raise problem("no-images", message, data, argument="image")
    elif images:
        image = next((name for name in _IMAGES if name in images), images[0])
    else:
        raise problem(
            "no-images",
            f"{data.path} has no column of images",
            data,
            notes=(f"its columns are {listed([f'`{clean(name)}`' for name in features], 20)}",),
        )
    if data.label is not None:
        labels = [_named(data, features, "label", name) for name in data.label]
    else:
        labels = _found(data, {n: f for n, f in features.items() if n != image})
    return image, _of_features(data, {name: features[name] for name in labels}, as_numbers)


def _named(data: HuggingFace, features: Mapping[str, Any], argument: str, name: str) -> str:
    if name in features:
        return name
    raise problem(
        "no-such-column",
        f"the data set has no column `{name}`",
        data,
        argument=argument,
        notes=(f"it has {listed([f'`{clean(each)}`' for each in features], 20)}",),
        help="name one of them",
    )


def _found(data: HuggingFace, features: Mapping[str, Any]) -> list[str]:
    named = [name for name in _LABELS if name in features]
    typed = [name for name, one in features.items() if _names(one) or _names(_item(one))]
    masks = [name for name, one in features.items() if _type(one) == "Image"]
    chosen = named or typed or masks or list(features)
    if named or len(chosen) == 1:
        return chosen[:1]
    shown = listed([f"`{clean(name)}`" for name in chosen], 20)
    raise problem(
        "no-labels",
        f"{data.path} has {len(chosen)} columns that may be labels",
        data,
        notes=(f"they are {shown}",) if chosen else (),
        help="name one of them, or several: `label=…`, `label=(…, …)`" if chosen else "",
    )


def _of_features(data: HuggingFace, features: Mapping[str, Any], as_numbers: bool) -> _Labels:
    columns = tuple(features)
    first = next(iter(features.values()))
    numeric = all(_type(one) == "Value" and _dtype(one) != "string" for one in features.values())
    if numeric and (as_numbers or len(columns) > 1 or "float" in _dtype(first)):
        return _Labels("regression", columns)
    if len(columns) > 1:
        names = listed([f"`{clean(name)}`" for name in columns])
        message = f"{names} are not all numbers"
        raise problem("no-labels", message, data, argument="label", help="name one column")
    item = _item(first)
    if _type(first) == "Image":
        return _Labels("segmentation", columns)
    if item is not None and (_names(item) or _type(item) == "Value"):
        return _Labels("multi_label", columns, _names(item))
    if _names(first) or _type(first) in ("Value", "ClassLabel"):
        return _Labels("classification", columns, _names(first))
    message = f"labels cannot be of the type `{_type(first) or 'of this column'}`"
    raise problem("no-labels", message, data, help="name another column: `label=…`")


def _type(feature: object) -> str:
    return str(feature.get("_type", "")) if isinstance(feature, dict) else ""


def _dtype(feature: Mapping[str, Any]) -> str:
    return str(feature.get("dtype", ""))


def _item(feature: object) -> Any:
    """What a list consists of; None of what is not a list."""
    if isinstance(feature, list):
        return feature[0] if feature else None
    if not isinstance(feature, dict) or _type(feature) not in ("Sequence", "List", "LargeList"):
        return None
    return feature.get("feature")


def _names(feature: object) -> tuple[str, ...]:
    names = feature.get("names") if isinstance(feature, dict) else None
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _values(data: HuggingFace, part: _Part, labels: _Labels) -> list[Any]:
    """The labels of all rows; of masks, nothing."""
    tables = [_table(data, file) for file in part.files]
    if labels.task == "segmentation":
        return [None] * sum(map(len, tables))
    try:
        columns = [
            [value for table in tables for value in table.column(name).to_pylist()]
            for name in labels.columns
        ]
    except KeyError as error:
        raise problem("data-damaged", f"a file of {data.path} lacks {error}", data) from None
    return list(zip(*columns, strict=True)) if labels.task == "regression" else columns[0]


def _texts(value: object) -> Sequence[str]:
    if value is None:
        return ()
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _is_whole(text: str) -> bool:
    return text.lstrip("-").isdecimal()


def _label(value: Any, labels: _Labels, index: Mapping[str, int]) -> Any:
    """The label of a row; a text says why it has none."""
    if labels.task == "regression":
        row = [math.nan if one is None else float(one) for one in value]
        if all(map(math.isnan, row)) or any(map(math.isinf, row)):
            return "it has no number"
        return row
    count = len(index)
    if labels.task == "multi_label":
        line = [0.0] * count
        for one in value if isinstance(value, list) else []:
            number = one if labels.names else index[str(one)]
            if type(number) is not int or not 0 <= number < count:
                return f"it has the class {one}; there are {count} classes"
            line[number] = 1.0
        return line if isinstance(value, list) else "it has no label"
    if value is None:
        return "it has no label"
    number = value if labels.names else index[str(value)]
    if type(number) is not int or not 0 <= number < count:
        return f"its label is {value}; there are {count} classes"
    return number


def _reads(columns: Sequence[ArrowColumn]) -> Iterator[Callable[[], str | bytes]]:
    """What reads each mask."""
    from ..loader.arrow_files import opened

    for column in columns:
        for row in range(sum(len(opened(file)) for file in column.files)):
            yield partial(column.read, row)
