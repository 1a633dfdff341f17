"""`--data flowers`: the data that is given on the command line or from Python.

It has the words of a `data` line (`digits`, `cifar10 root="sets"`, `folder "flowers" val=30%`), or
it is just a path: of a folder of images, of a folder with MNIST's files, of a table or of a .npz
file. Paths
in the words of a `data` line are relative to the folder of the spec; a path alone is relative to
the current folder.

An error is shown at its place on the command line, like an error in a spec.
"""

from __future__ import annotations

import re
from pathlib import Path

from ....compiler.language.foreign import folded
from ....compiler.language.overrides import SectionOverride
from ....compiler.language.values import quoted
from ....compiler.load_spec import load
from ....compiler.plan.data import Data
from ....compiler.plan.directive import REGISTRY
from ....compiler.plan.foreign_directives import known_elsewhere
from ....compiler.plan.make import examine
from ....dsl.closest import closest
from ....dsl.diagnostics import Diagnostic, SpecError, has_errors
from ....dsl.parser import read
from ....dsl.source import Source, Span
from ....dsl.syntax import Call
from ..diagnostic import listed
from ..remote.address import is_remote
from ..samples.sample_endings import in_archive
from .file_names import clean
from .folder_tree import similar_name
from .hub_parquet import is_from_hub
from .hugging_face import is_saved
from .idx import looks_like_idx
from .shards import has_shards


def given(text: str, here: Path, name: str = "--data") -> SectionOverride:
    """The override that replaces the `data` line of the spec; raises SpecError."""
    text = _unquoted(text)
    word = re.split(r"[\s,{]", text.strip(), maxsplit=1)[0]
    try:
        place = here / Path(text).expanduser()
        is_folder, is_file = bool(word) and place.is_dir(), place.is_file()
    except (OSError, RuntimeError, ValueError):  # too long, invalid characters, no home folder
        place, is_folder, is_file = here, False, False
    if word in _kinds():
        if is_folder and text == word:
            raise SpecError([_ambiguous(word, name)])
        return _override(text, name)
    if is_remote(text.strip()) and word == text.strip().partition("{")[0]:
        return _override(f"shards {quoted(text.strip())}", name)
    path = quoted(str(place.absolute()))
    if is_folder:
        return _override(f"{_kind_of_folder(place)} {path}", name)
    if is_file and in_archive(place.name):
        return _override(f"series {path}", name)
    if is_file and place.suffix.lower() in (".csv", ".tsv", ".parquet", ".pq"):
        return _override(f"table {path}", name)
    if is_file and place.suffix.lower() == ".tar":
        return _override(f"shards {path}", name)
    if is_file and place.suffix.lower() == ".json":
        return _override(f"coco {path}", name)
    if is_file and place.suffix.lower() in (".npz", ".npy"):
        return _override(f"npz {path}", name)
    if "{" in text and text.strip().endswith(".tar"):
        return _override(f"shards {path}", name)
    if word != text.strip() and folded(word) in known_elsewhere("train"):
        return _override(text, name)  # the error will name the word of this language
    raise SpecError([_unfit(text, word, place, is_file, name)])


def data_of(override: SectionOverride) -> Data:
    """The directive of a `data` line that is given; raises SpecError."""
    examined = examine(load(Source("data", "")), {}, None, [override])
    if examined.diagnostics:
        raise SpecError(examined.diagnostics)
    return examined.context.get(Data)


def is_word_of_data(text: str) -> bool:
    """Whether a text begins like a `data` line: `digits`, `folder "flowers"`."""
    return re.split(r"[\s,{]", text.strip(), maxsplit=1)[0] in _kinds()


def _kind_of_folder(folder: Path) -> str:
    """The kind of data in a folder, by the names of its files."""
    if looks_like_idx(folder):
        return "idx"
    if is_saved(folder) or is_from_hub(folder):
        return "hf"
    if has_shards(folder):
        return "shards"
    try:
        names = [entry.name for entry in folder.iterdir() if entry.is_file()]
    except OSError:
        return "folder"
    if any(map(in_archive, names)):
        return "series"
    arrays = [name for name in names if name.lower().endswith(".npy")]
    return "npy" if arrays and not any(entry.is_dir() for entry in folder.iterdir()) else "folder"


def _unquoted(text: str) -> str:
    """The text without the quotes that a spec would need around a path."""
    inside = text.strip()[1:-1]
    return inside if text.strip() == f'"{inside}"' and '"' not in inside else text


def _kinds() -> list[str]:
    words = REGISTRY["train"]
    return [word.partition(" ")[2] for word in words if word.startswith("data ")]


def _override(text: str, name: str) -> SectionOverride:
    spec, diagnostics = read(Source(name, f"data {text}"))
    if has_errors(diagnostics):
        raise SpecError(diagnostics)
    call, *others = spec.statements
    if others or not isinstance(call, Call) or call.body is not None:
        span = others[0].span if others else call.span
        message = f"{name} takes only the words of a `data` line"
        help = "write other directives as `--set train.epochs=3`" if others else "remove the body"
        raise SpecError([Diagnostic("argument", message, span, help=help)])
    return SectionOverride("train", call)


def _whole(text: str, name: str) -> Span:
    """The whole argument as a span, for diagnostics."""
    line = clean(text)
    source = Source(name, line if len(line) <= _LONGEST else line[:_LONGEST] + "…")
    return Span(source, 0, len(source.text))


def _ambiguous(word: str, name: str) -> Diagnostic:
    return Diagnostic(
        "conflict",
        f"`{word}` is the name of a data set and also of a folder",
        _whole(word, name),
        help=f"write `./{word}` for the folder, or `{word} val=20%`, for example, for the data set",
    )


_LONGEST = 100
PACKED = (".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
"""Endings of archives that are not read."""


def _unfit(text: str, word: str, path: Path, is_file: bool, name: str) -> Diagnostic:
    place = _whole(text, name)
    if is_file and path.name.lower().endswith(PACKED):
        return Diagnostic(
            "not-a-folder",
            f"{place.text} is an archive, in which images are not read",
            place,
            help="unpack it, and name the folder with the images",
        )
    if is_file:
        return Diagnostic(
            "not-a-folder",
            f"{place.text} is a file, but not a .npz archive",
            place,
            help="name a folder with one folder of images for each class, or a .npz file",
        )
    close = closest(word, _kinds())
    if close and len(word) < len(place.text):  # arguments follow: it was meant as a data line
        place = Span(place.source, 0, len(word))
    if not close and word:
        beside = similar_name(path)
        close = str(Path(text).with_name(beside)) if beside else ""
    return Diagnostic(
        "no-such-folder",
        f"there is no folder {place.text}, and no data set of that name",
        place,
        notes=(f"known data sets: {listed([f'`{kind}`' for kind in sorted(_named())], 20)}",),
        help=f"did you mean `{close}`?" if close else "name a folder of images, or a .npz file",
    )


def _named() -> list[str]:
    known = REGISTRY["train"]
    others = ("folder", "table", "coco", "hf", "shards", "npz", "npy", "series", "idx")
    return [kind for kind in _kinds() if kind not in others and known[f"data {kind}"].offered]
