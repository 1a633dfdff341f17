"""`--data flowers`: what to learn from, as it is given on the command line or from Python.

Either the words of a `data` line (`digits`, `cifar10 root="sets"`, `folder "flowers" val=30%`), or
simply where it lies: a folder of images, a folder of MNIST's files, a file of numpy's. The paths of
words begin at the spec's folder, as if they stood in it; a place that is simply named begins where
the person is.
"""

from __future__ import annotations

import re
from pathlib import Path

from ....compiler.language.overrides import SectionOverride
from ....compiler.language.values import quoted
from ....compiler.plan.directive import REGISTRY
from ....dsl.closest import closest
from ....dsl.diagnostics import Diagnostic, SpecError, has_errors
from ....dsl.parser import read
from ....dsl.source import Source
from ....dsl.syntax import Call
from ..diagnostic import listed
from .file_names import clean
from .idx import looks_like_idx


def given(text: str, here: Path, name: str = "--data") -> SectionOverride:
    """What the spec's `data` line is replaced by; raises SpecError."""
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
    raise SpecError([_unfit(text, is_file, name)])


def _kinds() -> list[str]:
    words = REGISTRY["train"]
    return [word.partition(" ")[2] for word in words if word.startswith("data ")]


def _override(text: str, name: str) -> SectionOverride:
    spec, diagnostics = read(Source(name, f"data {text}"))
    if has_errors(diagnostics):
        raise SpecError(diagnostics)
    call = spec.statements[0] if len(spec.statements) == 1 else None
    if not isinstance(call, Call) or call.body is not None:
        raise SpecError(
            [Diagnostic("argument", "there is more in it than one line `data`", file=name)]
        )
    return SectionOverride("train", call)


def _ambiguous(word: str, name: str) -> Diagnostic:
    return Diagnostic(
        "conflict",
        f"`{word}` is a data set by name, and there is a folder {word}",
        help=f"write `./{word}` for the folder, or `{word} val=20%`, say, for the data set",
        file=name,
    )


_LONGEST = 100


def _unfit(text: str, is_file: bool, name: str) -> Diagnostic:
    said = clean(text)
    if len(said) > _LONGEST:
        said = said[:_LONGEST] + "…"
    if is_file:
        return Diagnostic(
            "not-a-folder",
            f"{said} is a file, and no archive of numpy's",
            help="name a folder with a folder of images for each class, or a file .npz",
            file=name,
        )
    close = closest(said, _kinds())
    return Diagnostic(
        "no-such-folder",
        f"there is no folder {said}, and no data set of that name",
        notes=(f"known by name are {listed([f'`{kind}`' for kind in sorted(_named())], 20)}",),
        help=f"did you mean `{close}`?" if close else "name a folder of images, or a file .npz",
        file=name,
    )


def _named() -> list[str]:
    return [kind for kind in _kinds() if kind not in ("folder", "npz", "idx")]
