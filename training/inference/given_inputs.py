"""What `cnn predict` and `dotcnn.predict` are given for a network with several inputs.

cnn predict runs/net left=a.png right=b.png      files, or folders with files of the same names
cnn predict runs/net pairs/                      a folder with `left/` and `right/`
cnn predict runs/net pairs.csv                   a table with a column for each input
cnn predict runs/net pairs.npz                   arrays by the names of the inputs
dotcnn.predict("runs/net", {"left": a, "right": b})
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...compiler.plan.data import Folder, Npz, TableData
from ...dsl.diagnostics import Diagnostic, SpecError
from ..data.diagnostic import counted, listed
from ..data.images.in_memory import is_array
from ..data.images.preprocessing import Preparation
from ..data.samples.sample_layout import noun_of
from ..data.sources.file_names import clean, is_image
from ..data.sources.folder_tree import files_below
from ..data.sources.mask_folder import matched
from ..data.sources.named_files import NamedFiles
from ..data.sources.npz_file import arrays_of_inputs, opened
from ..data.sources.several_inputs import input_folders
from ..data.sources.table import input_columns
from ..data.sources.table_file import read_table_file

Sample = tuple[str, dict[str, Any]]
"""The name to show, and what each input is read from, by its name."""


def samples_found(words: Sequence[str], preparation: Preparation) -> list[Sample]:
    """The samples that a command line names; raises SpecError."""
    names = [each.name for each in preparation.inputs]
    named: dict[str, list[str]] = {name: [] for name in names}
    samples: list[Sample] = []
    for word in words:
        name, equals, path = word.partition("=")
        if equals and name in named:
            named[name].append(path)
        else:
            samples += _of_place(word, preparation)
    if any(named.values()):
        samples += _of_named(named)
    return samples


def _of_place(path: str, preparation: Preparation) -> Iterator[Sample]:
    """The samples of a folder, of a table or of a file of arrays."""
    names = [each.name for each in preparation.inputs]
    base, ending = Path.cwd(), os.path.splitext(path)[1].lower()
    if os.path.isdir(path):
        (folders, *_) = input_folders(Folder.make(path=path), Path(path), base, names).values()
        yield from _of_folders(dict(zip(names, map(str, folders), strict=True)))
    elif ending in (".csv", ".tsv", ".parquet", ".pq"):
        data = TableData.make(path=path)
        table = read_table_file(data, Path(path), path)
        files = NamedFiles(Path(path).absolute().parent, is_image)
        columns = input_columns(data, table, files, preparation.inputs)
        for row in range(len(table.rows)):
            cells = [column.values[row] for column in columns]
            paths = [os.path.join(files.root, files.path(cell) or cell) for cell in cells]
            yield clean(cells[0]), dict(zip(names, paths, strict=True))
    elif ending == ".npz":
        data_file = Npz.make(path=path)
        with opened(data_file, Path(path)) as archive:
            found = arrays_of_inputs(data_file, list(archive), names)
            arrays = found.get("test") or found.get("val") or found["train"]
            each = {name: archive[array] for name, array in arrays.items()}
        yield from _divided(each, clean(path))
    else:
        examples = " ".join(f"{name}=FILE" for name in names)
        raise _unfit(
            f"the network has the inputs {listed([f'`{name}`' for name in names])}, and"
            f" `{clean(path)}` does not say for which it is",
            f"write `{examples}`; or name a folder with folders of these names, a table with such"
            " columns, or a .npz file with such arrays",
        )


def _of_named(named: Mapping[str, list[str]]) -> Iterator[Sample]:
    """The samples of `left=a.png right=b.png`."""
    (first, paths), *others = named.items()
    for name, own in others:
        if len(own) != len(paths):
            raise _unfit(
                f"there {'is' if len(paths) == 1 else 'are'} {counted(len(paths), 'file')} for"
                f" `{first}`, and {len(own)} for `{name}`",
                f"write `{first}=FILE {name}=FILE` for each sample",
            )
    for each in zip(*named.values(), strict=True):
        places = dict(zip(named, each, strict=True))
        if any(map(os.path.isdir, each)):
            yield from _of_folders(places)
        else:
            yield clean(each[0]), places


def _of_folders(folders: Mapping[str, str]) -> Iterator[Sample]:
    (first, folder), *others = folders.items()
    lacking = next((path for path in folders.values() if not os.path.isdir(path)), None)
    if lacking is not None:
        raise _unfit(f"{clean(lacking)} is not a folder, as `{first}={clean(folder)}` is", "")
    own = files_below(Path(folder))
    beside = {name: matched(own, files_below(Path(path))) for name, path in others}
    for file in own:
        paths = {
            name: os.path.join(folders[name], found.get(file, file))
            for name, found in beside.items()
        }
        yield clean(os.path.join(folder, file)), {first: os.path.join(folder, file), **paths}


def samples_passed(images: Any, preparation: Preparation) -> list[Sample]:
    """The samples that a program passes: a dict with what each input is read from, or a list of
    such; of arrays of one more dimension, a sample for each row. Raises SpecError."""
    noun = noun_of(preparation.sample)
    if isinstance(images, Mapping):
        channels = {each.name: each.channels for each in preparation.inputs}
        axes = len(preparation.sample)
        if all(_is_batch(each, channels.get(name, 0), axes) for name, each in images.items()):
            return list(_divided(images, noun))
        images = [images]
    return [(_name(each, f"{noun} {place}"), each) for place, each in enumerate(images)]


def _is_batch(value: Any, channels: int, axes: int) -> bool:
    """Whether it is an array of several samples; `axes` are those of one, with channels."""
    if not is_array(value):
        return False
    without = value.ndim == axes and channels == 1 and 1 not in (value.shape[0], value.shape[-1])
    return value.ndim == axes + 1 or without


def _name(sample: Any, usual: str) -> str:
    first = next(iter(sample.values()), None) if isinstance(sample, Mapping) else None
    return str(first) if isinstance(first, (str, os.PathLike)) else usual


def _divided(arrays: Mapping[str, Any], name: str) -> Iterator[Sample]:
    """The samples of arrays with one for each row."""
    counts = {each: len(array) for each, array in arrays.items()}
    if len({*counts.values()}) > 1:
        sizes = ", ".join(f"{count:,} of `{each}`" for each, count in counts.items())
        raise _unfit(f"the arrays have different lengths: {sizes}", "")
    many = max(counts.values()) > 1
    for row in range(max(counts.values())):
        shown = f"{name}#{row}" if many else name
        yield shown, {each: array[row] for each, array in arrays.items()}


def _unfit(message: str, help: str) -> SpecError:
    return SpecError([Diagnostic("no-inputs", message, help=help)])
