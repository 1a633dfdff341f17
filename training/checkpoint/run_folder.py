"""The folder of a run: every file in it is intact at every moment.

spec.cnn          the spec as it was run, with what it imports beside it
plan.json         its sections, every default filled in
model.py          the network as it was emitted
metrics.jsonl     a line an epoch
last.ckpt         the whole state, to resume from
best.safetensors  the best weights so far
frozen-….safetensors  weights that are frozen all along, which last.ckpt leaves out
transfer.txt      where a `transfer` section is: which weights came from where, what is frozen
record.json       versions, device, seed, data, choices, result
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ...compiler.emit import emit
from ...dsl.atomic_file import reach_the_disk, write_whole
from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.program import GALLERY, Program
from ...dsl.source import Source
from ...dsl.syntax import Import
from ..request import Request
from .lines_file import Lines

RUNS = "runs"
SPEC, PLAN, MODEL, METRICS, CHECKPOINT, BEST, RECORD, TRANSFER = (
    "spec.cnn", "plan.json", "model.py", "metrics.jsonl", "last.ckpt", "best.safetensors",
    "record.json", "transfer.txt",
)  # fmt: skip


def member_name(number: int) -> str:
    """The folder of a member of an ensemble, counted from 1, inside the ensemble's."""
    return str(number)


class RunFolder:
    """A folder that is written to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics = Lines(path / METRICS)
        self.checkpoint = path / CHECKPOINT
        self.best = path / BEST

    def write_text(self, name: str, text: str) -> None:
        write_whole(self.path / name, text.encode())

    def write_record(self, record: Mapping[str, Any]) -> None:
        text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
        self.write_text(RECORD, text + "\n")

    def write_request(self, request: Request, version: str) -> None:
        """Writes the spec, the plan and the emitted module."""
        for place, text in laid_out(request.program).items():
            (self.path / place).parent.mkdir(parents=True, exist_ok=True)
            self.write_text(place, text)
        self.write_text(PLAN, request.plan.to_json())
        self.write_text(MODEL, emit(request.network, version))
        self.metrics.keep(0)


def inner_folder(path: Path) -> Path:
    """A folder inside that of a run, made where it is not there. Raises SpecError for a link: the
    run may be somebody else's, and nothing is written outside its folder."""
    if path.is_symlink():
        message = f"{shown(path)} is a link; what it leads to is not part of the run"
        raise SpecError([Diagnostic("linked-folder", message, help="take the link away")])
    path.mkdir(exist_ok=True)
    return path


def make_folder(request: Request, output: Path | None) -> Path:
    """A new folder: `output`, or `runs/NAME` with a number where that exists. Raises SpecError
    where it is not empty or cannot be made."""
    name, runs = run_name(request.source), Path.cwd() / RUNS
    try:
        made = _numbered(runs, name) if output is None else _new(output)
        reach_the_disk(made.parent)
        return made
    except OSError as error:
        raise SpecError([_cannot_write(output or runs / name, error)]) from None


def _new(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    if any(path.iterdir()):
        raise SpecError([_taken(path)])
    return path


def _numbered(runs: Path, name: str) -> Path:
    runs.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = runs / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir()
        except FileExistsError:  # also where another process was faster
            number += 1
        else:
            return path


def shown(path: Path) -> str:
    """The path relative to the current folder, where it is inside it."""
    try:
        return os.path.relpath(path) if Path.cwd() in path.absolute().parents else str(path)
    except OSError:
        return str(path)


def _taken(path: Path) -> Diagnostic:
    name = shown(path)
    if (path / CHECKPOINT).exists():
        help = f"to continue the run in it, write `--resume {name}`; or name another folder"
    else:
        help = "name another folder, or leave -o out: then a new one is made"
    return Diagnostic("run-exists", f"{name} is not empty; nothing is overwritten", help=help)


def _cannot_write(path: Path, error: OSError) -> Diagnostic:
    reason = error.strerror or type(error).__name__
    help = "name a writable folder: `-o FOLDER`"
    return Diagnostic("unwritable", f"cannot write {shown(path)}: {reason}", help=help)


# ---- the spec and what it imports ------------------------------------------------------------


def run_name(source: Source) -> str:
    """The default name of a run: its spec's."""
    stem = Path(source.name).stem
    kept = "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in stem).strip("._")
    return kept[:60] or "run"


def spec_hash(program: Program) -> str:
    """A hash of the text of a spec and its imports."""
    digest = hashlib.sha256()
    for place, text in sorted(laid_out(program).items()):
        digest.update(f"{place}\0{text}\0".encode())
    return digest.hexdigest()


def laid_out(program: Program) -> dict[str, str]:
    """Every file of a spec by its place in the run folder. Imports say the new places."""
    main = program.main.source
    places = {source: _place(source, main) for source in program.imports}
    return {place: _moved(program, source, places) for source, place in places.items()}


def _place(source: Source, main: Source) -> str:
    if source is main:
        return SPEC
    assert source.path is not None
    path = Path(os.path.realpath(source.path))
    roots = [GALLERY]
    if main.path is not None:
        roots.insert(0, Path(os.path.realpath(main.path)).parent)
    for root in roots:
        if root in path.parents:
            place = path.relative_to(root).as_posix()
            return f"imported/{place}" if place == SPEC else place
    return f"imported/{path.name}"


def _moved(program: Program, source: Source, places: Mapping[Source, str]) -> str:
    text = source.text
    here = PurePosixPath(places[source]).parent
    for statement, place in sorted(
        _imports(program, source, places), key=lambda found: -found[0].path.span.start
    ):
        relative = os.path.relpath(place, here).replace(os.sep, "/")
        if relative != statement.path.value:
            span = statement.path.span
            text = f'{text[: span.start]}"{relative}"{text[span.end :]}'
    return text


def _imports(
    program: Program, source: Source, places: Mapping[Source, str]
) -> Iterator[tuple[Import, str]]:
    for statement, spec in program.imports[source]:
        yield statement, places[spec.source]
