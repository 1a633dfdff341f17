"""The run folder: which files a run writes. Each is written atomically, so it is always intact.

spec.cnn          the spec of the run, with the files that it imports beside it
plan.json         the sections of the spec, with every default filled in
model.py          the emitted torch module
metrics.jsonl     one line for each epoch, and one before training, as epoch 0
last.ckpt         the whole training state, to resume from
step-1200.ckpt    the checkpoint before it, of this step; more of them with `checkpoint keep=5`
best.safetensors  the best weights so far
frozen-….safetensors  weights that are frozen in all epochs, which last.ckpt leaves out
plugins/          the Python files of plug-ins, to read; nothing executes them from there
transfer.txt      for a spec with `transfer`: the source of each weight, and which layers are frozen
record.json       versions, device, seed, data, choices, results
answers-val.npz   the answer to each validation image, by which runs are compared; for a test set
                  also answers-test.npz (../answers)
find-lr.json      the range test of `--find-lr`, if there was one: rates, losses, the rate taken
notes.json        the tags and the note that its user gave it
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ...compiler.emit import emit
from ...compiler.extend.load_plugin import loaded
from ...compiler.extend.used_plugins import COPIES as PLUGINS
from ...dsl.atomic_file import reach_the_disk, write_whole
from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.program import GALLERY, Program
from ...dsl.source import Source
from ...dsl.syntax import Import
from ..request import Request
from .lines_file import Lines

RUNS = "runs"
SPEC, PLAN, MODEL, METRICS, CHECKPOINT, BEST, RECORD, TRANSFER, NOTES = (
    "spec.cnn", "plan.json", "model.py", "metrics.jsonl", "last.ckpt", "best.safetensors",
    "record.json", "transfer.txt", "notes.json",
)  # fmt: skip


def member_name(number: int) -> str:
    """The name of the folder of an ensemble's network, counted from 1, inside the ensemble's."""
    return str(number)


class RunFolder:
    """Writes the files of a run folder."""

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
        self.write_spec(request)
        self.keep_plugins(request)
        self.write_text(PLAN, request.plan.to_json())
        self.write_text(MODEL, emit(request.network, version))
        self.metrics.keep(0)

    def write_spec(self, request: Request) -> None:
        """Writes the spec and what it imports, unless they are those in the folder."""
        path = request.source.path
        if path is not None and self.path.resolve() in path.resolve().parents:
            return
        for place, text in laid_out(request.program).items():
            (self.path / place).parent.mkdir(parents=True, exist_ok=True)
            self.write_text(place, text)

    def keep_plugins(self, request: Request) -> None:
        """Keeps the files of plug-ins, for people to read and to give again: nothing executes them
        from here. Those of installed packages are recorded alone."""
        for identity in request.plan.plugins:
            plugin = loaded().get(identity.name)
            if plugin is not None and not plugin.distribution:
                for place, text in plugin.texts().items():
                    folders = Path(PLUGINS, place).parents
                    for folder in [*folders][-2::-1]:
                        inner_folder(self.path / folder)
                    self.write_text(f"{PLUGINS}/{place}", text)


def inner_folder(path: Path) -> Path:
    """Creates a folder inside a run folder, if it does not exist. Raises SpecError for a link: the
    run may be from somebody else, and nothing may be written outside its folder."""
    if path.is_symlink():
        message = f"{shown(path)} is a link to a folder that is not part of the run"
        raise SpecError([Diagnostic("linked-folder", message, help="remove the link")])
    path.mkdir(exist_ok=True)
    return path


def usual_folder(request: Request) -> Path:
    """The run folder if none is named: `runs/NAME`."""
    return Path.cwd() / RUNS / run_name(request.source)


def make_folder(request: Request, output: Path | None) -> Path:
    """Creates the run folder: `output`, or `runs/NAME`, with a number if that exists. Raises
    SpecError if it is not empty or cannot be created."""
    usual = usual_folder(request)
    try:
        folder = _numbered(usual.parent, usual.name) if output is None else _new(output)
        reach_the_disk(folder.parent)
        return folder
    except OSError as error:
        raise SpecError([cannot_write(output or usual, error)]) from None


def _new(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    if any(path.iterdir()):
        raise SpecError([taken(path)])
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
    """The path to show: relative to the current folder if it is inside that."""
    try:
        return os.path.relpath(path) if Path.cwd() in path.absolute().parents else str(path)
    except OSError:
        return str(path)


def taken(path: Path) -> Diagnostic:
    name = shown(path)
    if (path / CHECKPOINT).exists():
        help = f"to continue the run in it, write `--resume {name}`; or name another folder"
    else:
        help = "name another folder, or leave -o out to create a new one"
    return Diagnostic("run-exists", f"{name} is not empty; nothing is overwritten", help=help)


def cannot_write(path: Path, error: OSError) -> Diagnostic:
    reason = error.strerror or type(error).__name__
    help = "name a writable folder: `-o FOLDER`"
    return Diagnostic("unwritable", f"cannot write {shown(path)}: {reason}", help=help)


# ---- the spec and what it imports ------------------------------------------------------------


def run_name(source: Source) -> str:
    """The default name of a run: the name of its spec."""
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
    """The text of every file of a spec, by its place in the run folder. Import statements are
    changed to name the new places."""
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
        _imports(program, source, places), key=lambda pair: -pair[0].path.span.start
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
