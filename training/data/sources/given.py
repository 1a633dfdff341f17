"""`--data flowers`: what to learn from, as it is given on the command line or from Python.

Either the words of a `data` line (`digits`, `cifar10 root="sets"`, `folder "flowers" val=30%`), or
just a path: of a folder of images, of a folder of MNIST's files, of a file of NumPy's. Paths within
a `data` line are relative to the spec's folder, as if they stood in it; a path by itself is
relative to the current folder.

A mistake is shown where it is on the command line, as one in a spec is.
"""

from __future__ import annotations

import re
from pathlib import Path

from ....compiler.language.foreign import folded
from ....compiler.language.overrides import SectionOverride
from ....compiler.language.values import quoted
from ....compiler.plan.directive import REGISTRY
from ....compiler.plan.foreign_directives import known_elsewhere
from ....dsl.closest import closest
from ....dsl.diagnostics import Diagnostic, SpecError, has_errors
from ....dsl.parser import read
from ....dsl.source import Source, Span
from ....dsl.syntax import Call
from ..diagnostic import listed
from .file_names import clean
from .idx import looks_like_idx


def given(text: str, here: Path, name: str = "--data") -> SectionOverride:
    """What the spec's `data` line is replaced by; raises SpecError."""
    text = _unquoted(text)
    word = re.split(r"[\s,{]", text.strip(), maxsplit=1)[0]
    try:
        place = here / Path(text).expanduser()
        is_folder, is_file = bool(word) and place.is_dir(), place.is_file()
    except (OSError, RuntimeError, ValueError):  # too long, signs that no name has, no home
        place, is_folder, is_file = here, False, False
    if word in _kinds():
        if is_folder and text == word:
            raise SpecError([_ambiguous(word, name)])
        return _override(text, name)
    path = quoted(str(place.absolute()))
    if is_folder:
        return _override(f"{'idx' if looks_like_idx(place) else 'folder'} {path}", name)
    if is_file and place.suffix.lower() in (".npz", ".npy"):
        return _override(f"npz {path}", name)
    if word != text.strip() and folded(word) in known_elsewhere("train"):
        return _override(text, name)  # the reader of sections says what it is called here
    raise SpecError([_unfit(text, word, is_file, name)])


def _unquoted(text: str) -> str:
    """A path, also where it stands between the quotes that a spec would need."""
    inside = text.strip()[1:-1]
    return inside if text.strip() == f'"{inside}"' and '"' not in inside else text


def _kinds() -> list[str]:
    words = REGISTRY["train"]
    return [word.partition(" ")[2] for word in words if word.startswith("data ")]


def _override(text: str, name: str) -> SectionOverride:
    spec, diagnostics = read(Source(name, f"data {text}"))
    if has_errors(diagnostics):
        raise SpecError(diagnostics)
    call, *more = spec.statements
    if more or not isinstance(call, Call) or call.body is not None:
        span = more[0].span if more else call.span
        message = f"{name} says what the data is, and nothing else"
        help = "write other directives as `--set train.epochs=3`" if more else "take the body out"
        raise SpecError([Diagnostic("argument", message, span, help=help)])
    return SectionOverride("train", call)


def _whole(text: str, name: str) -> Span:
    """The argument as a place, which can be shown."""
    line = clean(text)
    source = Source(name, line if len(line) <= _LONGEST else line[:_LONGEST] + "…")
    return Span(source, 0, len(source.text))


def _ambiguous(word: str, name: str) -> Diagnostic:
    return Diagnostic(
        "conflict",
        f"`{word}` is a data set by name, and there is a folder {word}",
        _whole(word, name),
        help=f"write `./{word}` for the folder, or `{word} val=20%`, say, for the data set",
    )


_LONGEST = 100


def _unfit(text: str, word: str, is_file: bool, name: str) -> Diagnostic:
    place = _whole(text, name)
    if is_file:
        return Diagnostic(
            "not-a-folder",
            f"{place.text} is a file, and not an archive of NumPy",
            place,
            help="name a folder with a folder of images for each class, or a file .npz",
        )
    close = closest(word, _kinds())
    if close and len(word) < len(place.text):  # arguments follow: it was meant as a data line
        place = Span(place.source, 0, len(word))
    return Diagnostic(
        "no-such-folder",
        f"there is no folder {place.text}, and no data set of that name",
        place,
        notes=(f"known by name are {listed([f'`{kind}`' for kind in sorted(_named())], 20)}",),
        help=f"did you mean `{close}`?" if close else "name a folder of images, or a file .npz",
    )


def _named() -> list[str]:
    known = REGISTRY["train"]
    others = ("folder", "npz", "idx")
    return [kind for kind in _kinds() if kind not in others and known[f"data {kind}"].offered]
