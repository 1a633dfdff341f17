"""Data sets as they are downloaded from Hugging Face's Hub: a folder of Parquet files, which name
their parts, with the features in their metadata. Needs pyarrow, and neither `datasets` nor a
network; no script of a data set is run.

Rows of Parquet files cannot be read one by one. Each file is copied once as an Arrow file into the
user's cache folder, as `datasets` does, where images are read without copying them into memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....compiler.plan.data import HuggingFace
from ....dsl.atomic_file import written
from ...untrusted.bad_file import BadFile
from ...untrusted.json_text import load_json
from ..diagnostic import listed, problem
from ..images.checked_files import cache_folder
from .file_names import clean, hidden
from .part_names import part_of_file, part_of_word

if TYPE_CHECKING:
    import pyarrow

_DEPTH = 4
_ROWS = 64
"""Rows that are copied at a time: images are large."""


def is_from_hub(folder: Path) -> bool:
    """Whether a folder has Parquet files where the Hub has them: without a look at all files."""
    forms = ("*.parquet", "data/*.parquet", "default/*/*.parquet")
    return any(next(folder.glob(form), None) is not None for form in forms)


def parquet_below(root: Path) -> list[Path]:
    """The Parquet files in a folder and below it, sorted."""
    return sorted(_below(root, _DEPTH))


def _below(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = [entry for entry in os.scandir(folder) if not hidden(entry.name)]
    except OSError:
        return
    for entry in entries:
        if entry.is_file() and entry.name.lower().endswith((".parquet", ".pq")):
            yield Path(entry.path)
        elif depth and entry.is_dir() and not entry.is_symlink():
            yield from _below(Path(entry.path), depth - 1)


def parts_of_files(data: HuggingFace, root: Path, files: Sequence[Path]) -> dict[str, list[Path]]:
    """The files of each part, by their names or those of their folders: `train-00000-of-00002`,
    `default/train/0000.parquet`. Raises SpecError if there are several data sets, or no part for
    training."""
    parts: dict[str, list[Path]] = {}
    others: list[Path] = []
    sets: dict[str, None] = {}
    for file in files:
        folders = file.relative_to(root).parts[:-1]
        part = part_of_file(root, file)
        sets["/".join(f for f in folders if part_of_word(f) is None and f != "data")] = None
        (others if part is None else parts.setdefault(part, [])).append(file)
    if len(sets) > 1:
        names = listed([f"`{clean(name) or '.'}`" for name in sets])
        message = f"{data.path} has {len(sets)} data sets: {names}"
        raise problem("several-sets", message, data, help='name one of them: `data hf "…/NAME"`')
    if not parts:
        return {"train": others}
    if "train" not in parts:
        message = f"{data.path} has no files for training; it has {listed([*parts])}"
        help = 'name a file for training: `data hf "…/test-00000-of-00001.parquet"`'
        raise problem("no-training-folder", message, data, help=help)
    return parts


def as_arrow(data: HuggingFace, file: Path) -> Path:
    """The file as an Arrow file in the cache folder, copied if it is new; raises SpecError."""
    import pyarrow
    import pyarrow.parquet as parquet

    try:
        status = file.stat()
        mark = f"{os.path.abspath(file)}\0{status.st_size}\0{status.st_mtime_ns}"
        name = blake2b(mark.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        place = cache_folder() / "parquet" / f"{name}.arrow"
        if place.is_file():
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        with parquet.ParquetFile(str(file)) as source, written(place) as copy:
            schema = source.schema_arrow
            with (
                pyarrow.OSFile(str(copy), "wb") as sink,
                pyarrow.ipc.new_stream(sink, schema) as writer,
            ):
                for batch in source.iter_batches(_ROWS):
                    writer.write_batch(batch)
        return place
    except Exception as error:  # noqa: BLE001 - whatever pyarrow raises for a damaged file
        reason = str(error).partition("\n")[0]
        message = f"{clean(str(file))} cannot be read: {reason}"
        raise problem("data-damaged", message, data) from None


def features_of(data: HuggingFace, schema: pyarrow.Schema) -> Mapping[str, Any]:
    """The features of the columns: those that `datasets` has written into the metadata, or what
    the types of columns say. Raises SpecError."""
    text = (schema.metadata or {}).get(b"huggingface")
    if text is not None:
        try:
            features = load_json(text.decode("utf-8", "replace"))["info"]["features"]
        except (BadFile, KeyError, TypeError):
            features = None
        if isinstance(features, dict) and {*features} <= {*schema.names}:
            return features
        raise problem("data-damaged", f"the features in {data.path} are damaged", data)
    return {field.name: _feature(field.type) for field in schema}


def _feature(kind: pyarrow.DataType) -> Mapping[str, Any]:
    import pyarrow.types as types

    if types.is_struct(kind):
        names = {kind.field(place).name for place in range(kind.num_fields)}
        return {"_type": "Image"} if "bytes" in names else {}
    if types.is_binary(kind) or types.is_large_binary(kind):
        return {"_type": "Image"}
    if types.is_list(kind) or types.is_large_list(kind):
        return {"_type": "List", "feature": _feature(kind.value_type)}
    dtype = "string" if types.is_string(kind) or types.is_large_string(kind) else str(kind)
    return {"_type": "Value", "dtype": dtype}
