"""The index of a pack: `index.json`, and the JSON beside each tar file. Needs no torch.

A pack is a folder:

    index.json          what the pack is, and its shards by part, with counts, bytes and checksums
    train-00000.tar     samples, in the format of WebDataset; `val-…` and `test-…` likewise
    train-00000.json    what is in this tar file, and where
    classes.txt         the names of the classes, if there are any
    columns/            the JSON files as arrays (`columns.py`): derived, may be deleted

The key of a sample is its number within its part, with 9 digits; numbers of images that could not
be read are left out. Its members, by their endings:

    jpg png …           the image: its file as it is (kind `jpeg`), or encoded again (kind `fit`)
    npy                 the image as an array, channels x height x width (kind `raw`)
    seg.png seg.npy     its mask
    target.png …        the image that is to be answered
    NAME.seg.png        the same of one of several outputs: its name comes first
    NAME.input.jpg      the image of a further input of the network
    cls                 the number of its class
    json                any other labels: `{"name": "roses/1.jpg", "label": [0.5, 2]}`

An array is version 1.0 of NumPy's format with a header of 128 bytes, so its numbers begin at a
multiple of 128 in the tar file, and can be mapped into memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import index
from pathlib import Path
from typing import Any, NamedTuple

from ....dsl.atomic_file import write_whole
from ...untrusted.bad_file import damaged
from ...untrusted.json_text import Optional, load_json, misfit, natural
from ...untrusted.open_file import read_bytes

FORMAT = 1
INDEX = "index.json"
STATE = "packing.json"
"""It is there as long as a pack is not complete."""
KINDS = ("jpeg", "fit", "raw")
IMAGE = "image"
"""The role of the image of a sample; other members have theirs in their ending."""
LABELS = ("cls", "json")
NPY_HEADER = 128
MAX_INDEX = 2**28
MAX_SHARD_INDEX = 2**31


class Place(NamedTuple):
    """Where a member is in its tar file, and the checksum of its bytes."""

    offset: int
    size: int
    crc32: int


class LeftOut(NamedTuple):
    """An image that could not be read."""

    name: str
    reason: str
    label: int | None = None
    """The number of its class, if it has one."""
    group: str = ""


@dataclass(frozen=True)
class PackedSample:
    key: str
    name: str
    """The name of the image in the data that was packed: `roses/1.jpg`, or the number of a row."""
    members: Mapping[str, Place]
    """By their endings."""
    label: Any = None
    """A class number, or a list of numbers in which null is not known; None for masks."""
    pixels: tuple[int, int] = (0, 0)
    """Height and width of the image."""
    group: str = ""
    weight: float | None = None


@dataclass(frozen=True)
class ShardIndex:
    """The JSON beside a tar file."""

    bytes: int
    """The size of the tar file."""
    sha256: str
    """Its checksum."""
    samples: tuple[PackedSample, ...]
    left_out: tuple[LeftOut, ...] = ()
    request: str = ""
    """That of the pack, from which it is known while there is no `index.json`."""


class Shard(NamedTuple):
    """A tar file, as `index.json` lists it."""

    name: str
    """`train-00000`, of which .tar and .json are the files."""
    samples: int
    bytes: int
    sha256: str
    """The checksum of the tar file."""
    index_sha256: str
    """The checksum of its JSON."""

    @property
    def tar(self) -> str:
        return f"{self.name}.tar"

    @property
    def json(self) -> str:
        return f"{self.name}.json"


@dataclass(frozen=True)
class PackIndex:
    """`index.json`."""

    kind: str
    """`jpeg`, `fit` or `raw`."""
    task: str
    """What labels ask for: the word of a task."""
    classes: tuple[str, ...]
    parts: Mapping[str, tuple[Shard, ...]]
    roles: tuple[str, ...] = (IMAGE,)
    """`image`, `seg`, `target`, `NAME.seg`, `NAME.target`, `NAME.input`: what samples have."""
    request: str = ""
    """A checksum of what was packed and how; to go on with a pack, it must be the same."""
    origin: str = ""
    numbered: bool = False
    """Whether names are numbers of rows, not those of files."""
    label_columns: int = 0
    """The numbers in a label; 0 for classes and masks."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """All else: how images were prepared, the codes of masks, the answers of several outputs."""
    left_out: tuple[tuple[str, str], ...] = ()
    """What could not be read, with the reasons."""
    absent: tuple[LeftOut, ...] = ()
    """The images for training among these: validation images are drawn as if they were there, as
    they are of the data that was packed."""

    def count(self, part: str) -> int:
        return sum(shard.samples for shard in self.parts[part])

    def as_json(self) -> str:
        parts = {part: [shard._asdict() for shard in shards] for part, shards in self.parts.items()}
        value = {
            "format": FORMAT,
            "kind": self.kind,
            "task": self.task,
            "classes": self.classes,
            "roles": self.roles,
            "label_columns": self.label_columns,
            "numbered": self.numbered,
            "origin": self.origin,
            "about": self.about,
            "samples": {part: self.count(part) for part in self.parts},
            "parts": parts,
            "left_out": self.left_out,
            "absent": self.absent,
            "request": self.request,
        }
        return json.dumps(value, indent=1, ensure_ascii=True) + "\n"


def role_of(ending: str) -> str | None:
    """The role of a member: `seg` of `seg.png`; None of labels."""
    if ending in LABELS:
        return None
    return ending.rpartition(".")[0] or IMAGE


def checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def is_pack(folder: Path) -> bool:
    """Whether a folder has the index of a pack."""
    try:
        with open(folder / INDEX, "rb") as file:
            start = file.read(200)
    except OSError:
        return False
    return b'"format"' in start and b'"kind"' in start


# ---- index.json --------------------------------------------------------------------------------

_SHARD = {
    "name": str, "samples": natural, "bytes": natural, "sha256": str, "index_sha256": str,
}  # fmt: skip
_FORM = {
    "format": natural,
    "kind": str,
    "task": str,
    "classes": [str],
    "roles": [str],
    "label_columns": natural,
    "numbered": bool,
    "origin": str,
    "about": dict,
    "parts": {str: [_SHARD]},
    "left_out": [[str]],
    "absent": Optional(list),
    "request": Optional(str),
}


@lru_cache(2)  # one that lists many tar files is long, and is read twice: for its classes, too
def read_index(data: bytes) -> PackIndex:
    """The index from the bytes of `index.json`; raises BadFile."""
    value = _json(data)
    version = value.get("format") if isinstance(value, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise damaged(f"it has format {version}, which a later version of dotcnn writes")
    wrong = misfit(value, _FORM)
    if wrong:
        raise damaged(f"`{wrong}` is missing or has another type")
    shards = {
        part: tuple(Shard(**{name: each[name] for name in Shard._fields}) for each in listed)
        for part, listed in value["parts"].items()
    }
    names = [shard.name for each in shards.values() for shard in each]
    strange = next((name for name in names if not _is_plain(name)), None)
    if strange is not None:  # a path would lead out of the folder
        raise damaged(f"{strange[:40]!r} is not the name of a shard")
    if value["kind"] not in KINDS:
        raise damaged(f"it is of the kind {value['kind'][:40]!r}, not one of {', '.join(KINDS)}")
    return PackIndex(
        kind=value["kind"],
        task=value["task"],
        classes=tuple(value["classes"]),
        parts=shards,
        roles=tuple(value["roles"]),
        request=value.get("request", ""),
        origin=value["origin"],
        numbered=value["numbered"],
        label_columns=value["label_columns"],
        about=value["about"],
        left_out=tuple((each[0], each[1]) for each in value["left_out"] if len(each) == 2),
        absent=_left_out(value.get("absent") or ()),
    )


def _left_out(entries: Sequence[Any]) -> tuple[LeftOut, ...]:
    """Images that could not be read; older packs do not say their labels."""
    try:
        return tuple(
            LeftOut(
                str(each[0]),
                str(each[1]),
                None if len(each) < 3 or each[2] is None else index(each[2]),
                "" if len(each) < 4 else str(each[3]),
            )
            for each in entries
        )
    except (IndexError, KeyError, TypeError):
        raise damaged("an image that was left out is not as it must be") from None


def _is_plain(name: str) -> bool:
    return name.replace("-", "0").replace("_", "0").isalnum()


def _json(data: bytes) -> Any:
    try:
        return load_json(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise damaged(f"its byte {error.start:,} is not UTF-8") from None


# ---- the JSON beside a tar file ----------------------------------------------------------------


def shard_json(shard: ShardIndex) -> bytes:
    """The text of a shard's index, a line for each sample."""
    lines = [json.dumps(_entry(sample), ensure_ascii=True) for sample in shard.samples]
    head = json.dumps({
        "format": FORMAT, "request": shard.request, "bytes": shard.bytes, "sha256": shard.sha256,
    })  # fmt: skip
    left_out = json.dumps(shard.left_out, ensure_ascii=True)
    return (
        f'{head[:-1]}, "left_out": {left_out}, "samples": [\n' + ",\n".join(lines) + "\n]}\n"
    ).encode("ascii")


def _entry(sample: PackedSample) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "key": sample.key,
        "name": sample.name,
        "members": sample.members,
        "pixels": sample.pixels,
    }
    if sample.label is not None:
        entry["label"] = sample.label
    if sample.group:
        entry["group"] = sample.group
    if sample.weight is not None:
        entry["weight"] = sample.weight
    return entry


def read_shard(data: bytes) -> ShardIndex:
    """The index of a shard from the bytes of its JSON; raises BadFile."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise damaged("it is not JSON") from None
    form = {"bytes": natural, "sha256": str, "samples": list, "left_out": list}
    wrong = misfit(value, form)
    if wrong:
        raise damaged(f"`{wrong}` is missing or has another type")
    samples = []
    for number, entry in enumerate(value["samples"]):
        try:
            samples.append(_sample(entry))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise damaged(f"its sample {number} is not as it must be: {error}") from None
    left_out = _left_out(value["left_out"])
    request = str(value.get("request", ""))
    return ShardIndex(value["bytes"], value["sha256"], tuple(samples), left_out, request)


def _sample(entry: Mapping[str, Any]) -> PackedSample:
    """A sample of a JSON file; written out, since there are millions of them."""
    key, name, label = entry["key"], entry["name"], entry.get("label")
    height, width = entry["pixels"]
    if type(key) is not str or type(name) is not str:
        raise ValueError("its key and its name are texts")
    if label is not None and type(label) not in (int, list):
        raise ValueError("its label is a number, or a list of numbers")
    members = {ending: Place(*map(index, at)) for ending, at in entry["members"].items()}
    if any(min(place) < 0 or max(place) >= 2**63 for place in members.values()):
        raise ValueError("a place is below 0")
    return PackedSample(
        key,
        name,
        members,
        label,
        (index(height), index(width)),
        str(entry.get("group", "")),
        None if entry.get("weight") is None else float(entry["weight"]),
    )


# ---- files -------------------------------------------------------------------------------------


def load_index(folder: Path) -> tuple[PackIndex, str]:
    """The index of a folder, and the checksum of its file; raises BadFile."""
    data = read_bytes(folder / INDEX, MAX_INDEX)
    return read_index(data), checksum(data)


def load_shard(folder: Path, shard: Shard) -> ShardIndex:
    """The index of a shard, checked against `index.json`; raises BadFile."""
    return checked_shard(read_bytes(folder / shard.json, MAX_SHARD_INDEX), shard)


def checked_shard(data: bytes, shard: Shard) -> ShardIndex:
    """The index of a shard from its bytes; raises BadFile if they are not those that `index.json`
    has the checksum of."""
    if checksum(data) != shard.index_sha256:
        raise damaged(f"{shard.json} is not the file that {INDEX} has the checksum of")
    return read_shard(data)


def save_index(folder: Path, pack: PackIndex) -> None:
    write_whole(folder / INDEX, pack.as_json().encode("ascii"))
