"""Reads the spec of a run and its options from its folder: to show it, or as the request that it
came from, to resume or evaluate it. Needs no torch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..compiler.commands.terminal import say
from ..compiler.extend.load_plugin import find
from ..compiler.extend.used_plugins import WORD as USE
from ..compiler.extend.used_plugins import changed, uses_in
from ..compiler.spec_options import GivenSpec, Options
from ..dsl.diagnostics import Diagnostic, SpecError
from ..dsl.files import read_file
from ..dsl.parser import read
from ..dsl.source import Source
from .checkpoint import run_files
from .checkpoint.run_folder import BEST, RECORD, SPEC, shown
from .request import Request, request_from
from .untrusted.bad_file import BadFile

if TYPE_CHECKING:
    from .data.sources.arrays_given import ArrayData


def request_of(
    folder: Path,
    overrides: Sequence[tuple[str, object]] = (),
    data: str | ArrayData | None = None,
) -> Request:
    """The request of a run, to resume or evaluate it. `overrides` and `data` replace what the run
    was started with. Raises SpecError if `folder` is not a run."""
    spec = read_spec(folder)
    assert spec.base is not None
    return request_from(spec.source, spec.base, spec.options, overrides, data)


def read_spec(folder: Path) -> GivenSpec:
    """The spec of a run, with its options; raises SpecError if `folder` is not a run."""
    record = read_record(folder)
    options = Options.from_json(record["made_with"])
    spec = spec_of(folder)
    _tell_changed_plugins(folder, spec)
    base = base_of_run(folder, record)
    old = record["base"].rstrip("/")
    if str(base) != record["base"]:  # what `--data` named is an absolute path
        options = options._replace(
            set=tuple(text.replace(f'"{old}/', f'"{base.as_posix()}/') for text in options.set)
        )
    return GivenSpec(spec, options, base)


def _tell_changed_plugins(folder: Path, spec: Source) -> None:
    """Says which plug-ins are not what the run was made with: it goes on with these."""
    names = [use.name for use in uses_in(read(spec)[0])] if USE in spec.text else []
    if not names:
        return
    now = []
    for name in names:
        with suppress(SpecError):  # loading the spec tells what is wrong
            plugin = find(name)
            now += [plugin.identity] if plugin is not None else []
    with suppress(BadFile, SpecError):
        for line in changed(run_files.read_plan(folder).plugins, now):
            say(f"warning: {line}")


def base_of_run(folder: Path, record: Mapping[str, Any]) -> Path:
    """The folder that paths of a run's data are relative to. If it is gone, and the run has moved
    together with it, as with the folder of a whole project, it is where it was as seen from the
    run; then the spec is there, too."""
    base, way = Path(record["base"]), record.get("base_from_run")
    if base.exists() or not isinstance(way, str) or "\0" in way:
        return base
    moved = Path(os.path.normpath(folder.absolute() / way))
    spec = record.get("spec")
    name = Path(str(spec.get("file", ""))).name if isinstance(spec, Mapping) else ""
    with_spec = not name.endswith(".cnn") or name == SPEC or (moved / name).exists()
    return moved if moved.is_dir() and with_spec else base


def is_run(folder: Path) -> bool:
    """Whether a folder says that it is one of a run; what is in it, is not read."""
    return os.path.lexists(folder / RECORD)


def best_of(folder: Path) -> Path:
    """The file of the best weights of a run; raises SpecError if there is none yet."""
    best = folder / BEST
    if os.path.lexists(best):
        return best  # if it is not a file, its reader says what it is
    help = (
        "continue training with `--resume`; for an ensemble, name the folder of one of its networks"
    )
    message = f"{shown(folder)} has no {BEST} yet"
    raise SpecError([Diagnostic("no-run", message, help=help)])


def spec_of(folder: Path) -> Source:
    return read_file(folder / SPEC, shown(folder / SPEC))


def read_record(folder: Path) -> dict[str, Any]:
    """Reads record.json; raises SpecError if `folder` is not a run folder."""
    if not folder.is_dir():
        raise no_run(folder, "it is a file" if folder.exists() else "there is no such folder")
    try:
        return run_files.read_record(folder)
    except BadFile as error:
        missing = error.kind == "missing"
        why = f"there is no {RECORD} in it" if missing else f"its {RECORD} {error}"
        raise no_run(folder, why) from None


def no_run(folder: Path, why: str) -> SpecError:
    help = "name a folder that `cnn train` created, like runs/digits"
    message = f"{shown(folder)} is not a run folder: {why}"
    return SpecError([Diagnostic("no-run", message, help=help)])
