"""`data table "labels.csv"`: a row for each image, with its file and its labels.

Which columns are meant is found by their names and contents unless the spec names them, and is said
in a note. Labels are classes, several classes, numbers or masks, as the values say. A row that
cannot be used is left out and named, as a bad image is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from ....compiler.plan.data import PARTS, TableData
from ....compiler.plan.loss import IMAGES
from ....compiler.shapes import Shape
from ...tasks.answer import NO_CHANNELS, NO_OUTPUTS, Answer
from ..diagnostic import counted, listed, problem
from ..left_out import BadFile
from ..samples.sample_endings import is_sample, may_hold
from .channel_names import channel_names
from .class_name_file import CLASS_NAMES
from .file_names import clean, is_image, is_mask, resolve
from .mask_folder import CLASSES, Pairs, read_table, scanned, table_in
from .named_files import NamedFiles
from .read_once import ReadOnce
from .several_inputs import Inputs, no_files_of_samples
from .table_file import Column, Table, column_of, read_table_file, without_header
from .table_labels import (
    NO,
    YES,
    LabelReader,
    Nothing,
    Targets,
    Together,
    Unusable,
    has_files,
    is_binary,
    is_numeric,
    number_in,
    reader_of,
    with_names,
)

if TYPE_CHECKING:
    from ..images.mask_file import MaskCode
    from ..loader.image_source import Contents, ImageSource
    from .images_wanted import ImagesWanted

_IMAGE_NAMES = (
    "image", "file", "filename", "file_name", "path", "filepath", "img", "image_path", "image_id",
    "id", "picture", "photo",
)  # fmt: skip
_LABEL_NAMES = (
    "label", "labels", "class", "classes", "target", "targets", "y", "category", "tags", "mask",
    "class_name", "label_name", "breed", "species",
)  # fmt: skip
_PART_NAMES = (
    "split", "part", "subset", "set", "fold_name", "is_valid", "is_val", "is_validation", "is_test",
)  # fmt: skip


@dataclass
class TableLabels:
    """The images of a table with what they are labeled with, part by part."""

    task: str
    classes: tuple[str, ...]
    root: str
    answers: tuple[Answer, ...] = ()
    """What the labels of each output are, if the network has several."""
    further: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    """For a network with several inputs, the paths of the others."""
    files: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    """For a network with several outputs, the path of the mask or the image for each that answers
    with one; empty if an image has none."""
    images: dict[str, list[str]] = field(default_factory=dict)
    """Paths relative to `root`."""
    labels: dict[str, list[object]] = field(default_factory=dict)
    """A class number, a row of numbers, or the path of a mask, for each image."""
    groups: list[str] = field(default_factory=list)
    """The group of each training image, if the table has groups."""
    weights: list[float] = field(default_factory=list)
    """The weight of each training image, if the table has weights."""
    bad: list[BadFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def table(
    data: TableData,
    base: Path,
    shape: Shape = (),
    *,
    as_numbers: bool = False,
    outputs: Mapping[str, bool] = NO_OUTPUTS,
    pictures: Mapping[str, int] = NO_CHANNELS,
    inputs: Inputs = (),
) -> Contents:
    """The data set of a table; raises SpecError. `shape` is that of a sample, if it is not an
    image. For a network with several outputs, `outputs` has their names, and whether each predicts
    numbers, `pictures` the number of channels of those that answer with an image; for one with
    several inputs, `inputs` has those."""
    import torch

    from ..loader.image_source import Contents, Files, ImageMaps, InputFiles, MaskFiles
    from ..loader.packed_strings import Strings

    samples = shape if is_sample(shape) else None
    if samples is not None and inputs:
        raise no_files_of_samples(data, inputs)
    found = read_labels(
        data, base, samples, as_numbers=as_numbers, outputs=outputs, inputs=inputs, last=True
    )
    masks = found.task == "segmentation"
    classes, code = (found.classes, None) if not masks else _mask_code(data, found, found.labels)
    codes = _codes_of_outputs(data, found)
    names_of = {name: names for name, (names, _) in codes.items()}
    names_of |= {name: channel_names(channels) for name, channels in pictures.items()}
    answers = [
        answer._replace(classes=names_of[answer.output]) if answer.is_map else answer
        for answer in found.answers
    ]
    parts: dict[str, ImageSource] = {}
    for part, images in found.images.items():
        labels = found.labels[part]
        kind = torch.int64 if masks or found.task == "classification" else torch.float32
        numbers = torch.tensor([0] * len(images) if masks else labels, dtype=kind)
        files = Files(found.root, Strings(images), numbers)
        if masks:
            assert code is not None
            of_images = MaskFiles(found.root, Strings(map(str, labels)), code)
            files = replace(files, mask_files=(of_images,))
        maps = [answer for answer in answers if answer.is_map]
        for answer, paths in zip(maps, zip(*found.files[part], strict=True), strict=True):
            names, count = Strings(paths), len(answer.classes)
            if answer.is_mask:
                own = MaskFiles(found.root, names, codes[answer.output][1], answer.output)
                files = replace(files, mask_files=(*files.mask_files, own))
            else:
                other = ImageMaps(found.root, names, count, answer.output)
                files = replace(files, image_maps=(*files.image_maps, other))
        if inputs:
            columns = zip(inputs[1:], zip(*found.further[part], strict=True), strict=True)
            others = [InputFiles(each, found.root, Strings(paths)) for each, paths in columns]
            files = replace(files, first_input=inputs[0], input_files=tuple(others))
        parts[part] = files
    if found.weights:
        weights = torch.tensor(found.weights, dtype=torch.float64)
        parts["train"] = replace(parts["train"], weights=weights)
    whole = Contents(
        clean(Path(data.path).stem),
        classes,
        parts,
        origin=data.path,
        notes=tuple(found.notes),
        task=found.task,
        answers=tuple(answers),
        groups=found.groups,
        bad=tuple(found.bad),
    )
    if samples is None:
        return whole
    from .sample_files import of_sample_files

    return of_sample_files(data, whole, samples)


def image_table(data: TableData, base: Path, wanted: ImagesWanted) -> Contents:
    """The images of a table and, if a column has them, the images that are to be answered."""
    found = _read_labels(data, base, None, False, NO_OUTPUTS, as_images=True)
    parts: dict[str, ImageSource] = {
        part: wanted.files(
            found.root,
            tuple(images),
            tuple(map(str, found.labels[part])) if found.task == IMAGES else None,
        )
        for part, images in found.images.items()
    }
    contents = wanted.of_files(clean(Path(data.path).stem), parts, data.path, tuple(found.notes))
    return replace(contents, groups=found.groups, bad=tuple(found.bad))


def classes_of_table(
    data: TableData,
    base: Path,
    shape: Shape = (),
    *,
    as_numbers: bool = False,
    inputs: Inputs = (),
) -> tuple[str, ...]:
    """The classes of a table, or its numbers. No file is read, except masks to find classes."""
    samples = shape if is_sample(shape) else None
    found = read_labels(data, base, samples, as_numbers=as_numbers, inputs=inputs)
    if found.task != "segmentation":
        return found.classes
    return _mask_code(data, found, found.labels)[0]


def _codes_of_outputs(
    data: TableData, found: TableLabels
) -> dict[str, tuple[tuple[str, ...], MaskCode]]:
    """The same for each output that answers with a mask, by its name."""
    names = [answer.output for answer in found.answers if answer.is_mask]
    return {
        name: _mask_code(
            data,
            found,
            {part: [each[place] for each in files] for part, files in found.files.items()},
            name,
        )
        for place, name in enumerate(names)
    }


def _mask_code(
    data: TableData, found: TableLabels, paths: Mapping[str, Sequence[object]], output: str = ""
) -> tuple[tuple[str, ...], MaskCode]:
    """The classes of masks, and what the values in them stand for. Those of an output may have a
    file of their own, `kind_classes.txt`, beside that which is for all."""
    from ..images.mask_file import MaskCode

    root = Path(found.root)
    own = root / f"{output}_{CLASSES}"
    listed_in = own if output and own.is_file() else table_in(root)
    pairs = [
        Pairs(found.root, tuple(found.images[part]), tuple(filter(None, map(str, labels))))
        for part, labels in paths.items()
    ]
    known = scanned(data, pairs) if listed_in is None else read_table(data, listed_in)
    return known.names, MaskCode(len(known.names), data.ignored, known.colors, known.two_valued)


_read_once: ReadOnce[TableLabels] = ReadOnce()


def read_labels(
    data: TableData,
    base: Path,
    samples: Shape | None = None,
    *,
    as_numbers: bool = False,
    outputs: Mapping[str, bool] = NO_OUTPUTS,
    inputs: Inputs = (),
    last: bool = False,
) -> TableLabels:
    """The images and labels of a table, or the `samples` of a shape; raises SpecError. With
    `as_numbers`, whole numbers are numbers, not classes. They are kept for the next call, unless
    this is the `last`."""
    key = (
        str(data), str(base.absolute()), samples, as_numbers, tuple(outputs.items()), tuple(inputs)
    )  # fmt: skip
    path = resolve(data.path, base)

    def read() -> TableLabels:
        return _read_labels(data, base, samples, as_numbers, outputs, inputs)

    return _read_once(read, path, *key, last=last)


def _read_labels(
    data: TableData,
    base: Path,
    samples: Shape | None,
    as_numbers: bool,
    outputs: Mapping[str, bool],
    inputs: Inputs = (),
    *,
    as_images: bool = False,
) -> TableLabels:
    """As `read_labels`; with `as_images`, labels are images, or there are none."""
    path = resolve(data.path, base)
    root = resolve(data.root, base) if data.root is not None else path.parent
    wanted = is_image if samples is None else partial(may_hold, shape=samples)
    files = NamedFiles(root, wanted, path.stem)
    table = _table(data, path, files)
    pictures = input_columns(data, table, files, inputs) or (_image_column(data, table, files),)
    part = _part_column(data, table)
    used = {*(column.name for column in pictures), part.name if part else ""}
    masks = files if samples is not None else NamedFiles(root, is_mask, path.stem)
    if outputs:
        reader: LabelReader = _of_outputs(data, table, masks, outputs, used, samples is not None)
        columns = reader.columns
    elif as_images:
        columns = _target_columns(data, table, files, used)
        reader = Targets(columns[0], files) if columns else Nothing()
    else:
        columns = _label_columns(data, table, files, used)
        reader = reader_of(data, columns, masks, as_numbers)
        reader = with_names(data, reader, path.parent / CLASS_NAMES, base)
    group = column_of(data, table, "group", data.group) if data.group is not None else None
    weight = column_of(data, table, "weight", data.weight) if data.weight is not None else None
    found = TableLabels(reader.task, reader.classes, str(root), reader.answers)
    found.notes += table.notes
    found.notes.append(_said(pictures, columns, reader, part))
    for name in table.with_commas:
        found.notes.append(f"`{clean(name)}` has decimal commas: `12,5` is read as 12.5")
    seen: dict[tuple[str | None, ...], tuple[int, str, int]] = {}
    repeated = 0
    for place, number in enumerate(table.rows):
        every = [files.path(column.values[place]) for column in pictures]
        file = every[0] if None not in every else None
        label = reader.label(place)
        in_part = part.values[place] if part is not None else "train"
        into = _part_in(part, in_part)
        reason = label.why if isinstance(label, Unusable) else ""
        if file is None:
            lacking = pictures[every.index(None)]
            of = f" (`{clean(lacking.name)}`)" if inputs else ""
            reason = f"there is no image {clean(lacking.values[place]) or '(empty)'}{of}"
        elif into is None:
            reason = f"`{clean(in_part)}` is no part of a data set"
        times = 1.0 if weight is None else _weight(weight.values[place])
        if times is None and not reason and weight is not None:
            cell = clean(weight.values[place])
            reason = f"`{cell}` in `{weight.name}` is not a weight, 0 or more"
        if file is not None and into is not None and not reason:
            first = seen.setdefault(tuple(every), (number, into, len(found.labels.get(into, ()))))
            if first[0] != number:
                reason = _again(found, reader, first, into, label, reader.files(place))
                repeated += not reason
                if not reason:
                    continue
        if file is None or into is None or reason:
            found.bad.append(BadFile(f"row {number} of {clean(path.name)}", reason))
            continue
        found.images.setdefault(into, []).append(file)
        if inputs:
            found.further.setdefault(into, []).append(tuple(map(str, every[1:])))
        found.files.setdefault(into, []).append(reader.files(place))
        found.labels.setdefault(into, []).append(label)
        if into == "train" and group is not None:
            found.groups.append(group.values[place])
        if into == "train" and weight is not None and times is not None:
            found.weights.append(times)
    if files.left_out:
        found.notes.append(f"`{clean(files.left_out)}` at the beginning of paths is left out")
    if repeated:
        rows = counted(repeated, "row repeats", "rows repeat")
        found.notes.append(f"{rows} an image with the same labels, and each image is used once")
    if weight is not None:
        found.notes.append(f"training images are drawn as often as `{clean(weight.name)}` says")
        if found.weights and not any(found.weights):
            raise problem(
                "data-shape",
                f"all weights in `{clean(weight.name)}` are 0",
                data,
                argument="weight",
                help="a training image with the weight 2 is drawn twice as often as one with 1",
            )
    if not found.images.get("train"):
        raise problem(
            "no-images",
            f"{data.path} has no row that can be trained on",
            data,
            notes=tuple(f"{bad.name}: {bad.reason}" for bad in found.bad[:5]),
        )
    return found


def _table(data: TableData, path: Path, files: NamedFiles) -> Table:
    """The table; its first line names columns unless it names an image."""
    table = read_table_file(data, path, data.path)
    return without_header(table, lambda name: files.wanted(name) and files.path(name) is not None)


def _again(
    found: TableLabels,
    reader: LabelReader,
    first: tuple[int, str, int],
    part: str,
    label: object,
    files: tuple[str, ...],
) -> str:
    """Why a further row of an image cannot be used; empty if it says the same as the `first`, or
    adds classes to it."""
    row, before, place = first
    if before != part:
        return f"row {row} has the same image for {before}, and this row has it for {part}"
    known = found.labels[part][place]
    if reader.adds_up:
        assert isinstance(known, list)
        assert isinstance(label, list)
        found.labels[part][place] = [max(pair) for pair in zip(known, label, strict=True)]
        return ""
    if known == label and found.files[part][place] == files:
        return ""
    hint = "; `type=several` if an image may have several classes"
    more = hint if reader.task == "classification" else ""
    return f"its image is in row {row}, too, with another label{more}"


def _weight(text: str) -> float | None:
    number = number_in(text)
    return number if number is not None and 0 <= number < math.inf else None


def _image_column(data: TableData, table: Table, files: NamedFiles) -> Column:
    if data.image is not None:
        return column_of(data, table, "image", data.image)
    whole = {column.name: 1.0 for column in table.columns if files.all_paths(column)}
    # Only if no column has paths are the names of all files collected.
    shares = whole or {column.name: files.share(column) for column in table.columns}
    best = max(shares.values())
    good = [column for column in table.columns if shares.get(column.name) == best]
    if best > 0:
        named = [column for name in _IMAGE_NAMES for column in good if column.name.lower() == name]
        return (named or good)[0]
    raise problem(
        "no-images",
        f"no column of {data.path} has the names of images in {clean(str(files.root))}",
        data,
        notes=(f"its columns are {listed([f'`{clean(each)}`' for each in table.names], 20)}",),
        help='name the folder of the images: `root="…"`, and their column: `image=…`',
    )


def input_columns(
    data: TableData, table: Table, files: NamedFiles, inputs: Inputs
) -> tuple[Column, ...]:
    """The column of the files of each input: that with its name, or with one that begins with it
    (`depth_file`); or those that the spec names, in the order of the inputs."""
    if not inputs:
        return ()
    names = listed([f"`{each.name}`" for each in inputs])
    if data.inputs is not None and len(data.inputs) != len(inputs):
        raise problem(
            "no-inputs",
            f"there are {len(data.inputs)} columns of images, and the network has {len(inputs)}"
            f" inputs: {names}",
            data,
            argument="inputs",
            help="name a column for each input, in their order",
        )
    if data.inputs is not None:
        return tuple(column_of(data, table, "inputs", name) for name in data.inputs)
    found = []
    for each in inputs:
        own = each.name.lower()
        exact = [column for column in table.columns if column.name.lower() == own]
        begin = [column for column in table.columns if column.name.lower().startswith(f"{own}_")]
        usable = [column for column in (*exact, *begin) if files.share(column) > 0]
        if not usable:
            there = exact or begin
            folder = clean(str(files.root))
            beside = "beside the table" if folder == "." else f"in {folder}"
            raise problem(
                "no-inputs",
                f"no file that the column `{clean(there[0].name)}` names is {beside}"
                if there
                else f"{data.path} has no column `{each.name}`, the name of an input",
                data,
                notes=(f"its columns are {listed([f'`{clean(n)}`' for n in table.names], 20)}",),
                help="give inputs the names of columns, or name the columns in the order of the"
                f" inputs: `inputs=({', '.join('…' for _ in inputs)})`",
            )
        found.append(usable[0])
    return tuple(found)


def _part_column(data: TableData, table: Table) -> Column | None:
    if data.part is not None:
        return column_of(data, table, "part", data.part)
    for name in _PART_NAMES:
        column = table.column(name)
        if column is not None and all(_part_in(column, value) for value in set(column.values)):
            return column
    return None


def _part_in(column: Column | None, value: str) -> str | None:
    """The part that a cell names: also whether the image is of the part in the column's name."""
    name = column.name.lower() if column is not None else ""
    if name.startswith("is_") and value.lower() in YES | NO:
        return _part(name.removeprefix("is_")) if value.lower() in YES else "train"
    return _part(value)


@lru_cache(256)
def _part(value: str) -> str | None:
    return next((part for part, names in PARTS.items() if value.lower() in names), None)


def _label_columns(
    data: TableData, table: Table, files: NamedFiles, used: set[str]
) -> tuple[Column, ...]:
    if data.label is not None:
        return tuple(column_of(data, table, "label", name) for name in data.label)
    given = (data.group, data.image, data.part, data.weight)
    used = used | {name for name in given if name is not None}
    others = [column for column in table.columns if column.name not in used]
    named = [column for name in _LABEL_NAMES for column in others if column.name.lower() == name]
    if named:
        return (named[0],)
    if len(others) == 1:
        return tuple(others)
    binary = tuple(column for column in others if is_binary(column))
    if len(binary) > 1:
        return binary
    shown = listed([f"`{clean(column.name)}`" for column in others], 20)
    raise problem(
        "no-labels",
        f"{data.path} has {len(others)} columns that may be labels" if others else
        f"{data.path} has no column of labels",
        data,
        notes=(f"they are {shown}",) if others else (),
        help="name one of them, or several: `label=…`, `label=(…, …)`" if others else
        "add a column with the class of each image",
    )  # fmt: skip


def answer_columns(data: TableData, base: Path) -> dict[str, bool]:
    """The columns that are labels of several kinds, for which a network needs an output each; and
    whether they are numbers. Empty if one output answers for all."""
    path = resolve(data.path, base)
    root = resolve(data.root, base) if data.root is not None else path.parent
    files = NamedFiles(root, is_image, path.stem)
    table = _table(data, path, files)
    part, picture = _part_column(data, table), _image_column(data, table, files)
    if data.label is not None:
        columns = [column_of(data, table, "label", name) for name in data.label]
    else:
        used = {picture.name, part.name if part else "", data.group, data.weight}
        columns = [column for column in table.columns if column.name not in used]
        if any(column.name.lower() in _LABEL_NAMES for column in columns):
            return {}
        columns = [column for column in columns if _may_be_answered(column)]
    alike = all(map(is_binary, columns)) or all(map(is_numeric, columns))
    fine = all(column.name.isidentifier() and column.name.isascii() for column in columns)
    if len(columns) < 2 or alike or not fine:
        return {}
    return {column.name: _is_number(column) for column in columns}


def _may_be_answered(column: Column) -> bool:
    """Whether values are neither all the same, nor names of single images."""
    values = {value for value in column.values if value}
    return len(values) > 1 and (is_numeric(column) or len(values) <= len(column.values) / 2)


def _is_number(column: Column) -> bool:
    """Whether a column is numbers, and not the numbers of classes, which are few and whole."""
    values = [number for value in set(column.values) if (number := number_in(value)) is not None]
    whole = all(number.is_integer() for number in values if math.isfinite(number))
    most = min(_MOST_CLASSES, len(column.values) / 3)
    return is_numeric(column) and (not whole or len(values) > most)


_MOST_CLASSES = 20
"""Of more whole numbers, or where few rows have the same, each is not a class."""


def _of_outputs(
    data: TableData,
    table: Table,
    files: NamedFiles,
    outputs: Mapping[str, bool],
    used: set[str],
    of_samples: bool,
) -> Together:
    """The labels of each output: the column with its name, or those that begin with it (`at_x`,
    `at_y` of the output `at`); or the columns that the spec names, in the order of the outputs."""
    given = dict(zip(outputs, data.label or (), strict=False))
    if data.label is not None and len(data.label) != len(outputs):
        names = listed([f"`{name}`" for name in outputs])
        raise problem(
            "no-labels",
            f"there are {len(data.label)} columns of labels, and the network has"
            f" {len(outputs)} outputs: {names}",
            data,
            argument="label",
            help="name a column for each output, in their order; or leave `label=` out, and give"
            " outputs the names of columns",
        )
    readers: dict[str, tuple[Sequence[Column], LabelReader]] = {}
    for name, as_numbers in outputs.items():
        if given:
            columns: tuple[Column, ...] = (column_of(data, table, "label", given[name]),)
        else:
            columns = _columns_named(table, name, used)
        if not columns:
            others = [f"`{clean(each.name)}`" for each in table.columns if each.name not in used]
            raise problem(
                "no-labels",
                f"{data.path} has no column `{name}` for the output of this name",
                data,
                notes=(f"its other columns are {listed(others, 20)}",),
                help="give outputs the names of columns, or name the columns in the order of the"
                f" outputs: `label=({', '.join('…' for _ in outputs)})`",
            )
        reader = reader_of(data, columns, files, as_numbers)
        if as_numbers and len(columns) == 1 and has_files(columns[0], files):
            reader = Targets(columns[0], files)
        if reader.task in ("segmentation", IMAGES) and of_samples:
            raise problem(
                "no-labels",
                f"the labels of the output `{name}` are files of masks or images; of several"
                " outputs, only those of networks that take images may be",
                data,
                help="train a network with this output only",
            )
        readers[name] = columns, reader
    return Together(readers)


def _columns_named(table: Table, name: str, used: set[str]) -> tuple[Column, ...]:
    exact = table.column(name)
    if exact is not None:
        return (exact,)
    return tuple(
        column
        for column in table.columns
        if column.name not in used and column.name.lower().startswith((f"{name.lower()}_",))
    )


def _target_columns(
    data: TableData, table: Table, files: NamedFiles, used: set[str]
) -> tuple[Column, ...]:
    """The column of the images that are to be answered; empty if there is none."""
    if data.label is not None:
        return (column_of(data, table, "label", data.label[0]),)
    used = used | {name for name in (data.group, data.image, data.part) if name is not None}
    others = [column for column in table.columns if column.name not in used]
    return tuple(column for column in others if files.share(column) > 0.5)[:1]


def _said(
    pictures: Sequence[Column], columns: Sequence[Column], reader: LabelReader, part: Column | None
) -> str:
    """What was found in the table."""
    names = listed([f"`{clean(column.name)}`" for column in columns])
    of_images = listed([f"`{clean(column.name)}`" for column in pictures])
    where = f"the column{'s' * (len(pictures) > 1)} {of_images}"
    if not columns:
        return f"images are in {where}"
    what = {
        "classification": f"the class in {names}{reader.how}",
        "multi_label": f"the classes in {names}{reader.how}",
        "regression": f"the numbers in {names}",
        "segmentation": f"the masks in {names}",
        "multi_task": f"the labels in {names}",
        IMAGES: f"the images to be answered in {names}",
    }[reader.task]
    parts = f", and their part in `{clean(part.name)}`" if part is not None else ""
    return f"images are in {where}, {what}{parts}"
