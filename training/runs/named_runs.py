"""Finds the run that a person names: by its folder, or, of those under `runs/`, by its name, a tag
that no other run has, or the beginning of its name.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ...dsl.closest import closest
from ...dsl.diagnostics import Diagnostic, SpecError
from ..checkpoint.run_folder import RUNS, shown
from .find_runs import TooManyFolders, find_runs
from .run_facts import RunFacts, walk_runs


def run_folder(text: str) -> Path:
    """The folder of a run. What is there as a folder or file is taken, whatever it is; otherwise
    raises SpecError if no run, or more than one, is meant."""
    if os.path.lexists(text):
        return Path(text)
    found = find_named(text)
    if found is None:
        raise SpecError([_no_such_run(text)])
    return found


def find_named(text: str, *, prefix: bool = True) -> Path | None:
    """The folder of the run under `runs/` that is meant; None if there is none. Raises SpecError
    if there are several. `prefix`: the beginning of its name is enough."""
    if not text or "\0" in text:
        return None
    name = os.path.normpath(text).replace(os.sep, "/")
    if not name.startswith((".", "/")) and os.path.isdir(Path(RUNS, name)):
        return Path(RUNS, name)
    runs = _runs()
    tagged = [run for run in walk_runs(runs) if text in run.tags]
    begun = [run for run in runs if prefix and run.name.startswith(text)]
    for meant, how in ((tagged, f"have the tag {text}"), (begun, f"have a name like {text}…")):
        if len(meant) > 1:
            names = ", ".join(run.name for run in meant[:5])
            more = f" and {len(meant) - 5} more" if len(meant) > 5 else ""
            message = f"{len(meant)} runs {how}: {names}{more}"
            raise SpecError([Diagnostic("ambiguous-run", message, help="name one of them")])
        if meant:
            return meant[0].folder
    return None


def _runs() -> Sequence[RunFacts]:
    try:
        return find_runs(Path(RUNS))
    except (OSError, TooManyFolders):
        return ()


def similar_run(text: str) -> str:
    """A run with a similar name, as `runs/digits` or `digits`; "" if there is none."""
    names = [run.name for run in walk_runs(_runs())]
    return closest(text, [*names, *(f"{RUNS}/{name}" for name in names)])


def no_run_of(text: str, otherwise: str) -> str:
    """What is said of a name that is not that of a run folder."""
    close = similar_run(text)
    return f"{text} is not a run folder" + (f"; did you mean `{close}`?" if close else otherwise)


def _no_such_run(text: str) -> Diagnostic:
    names = [run.name for run in walk_runs(_runs())]
    close = similar_run(text)
    if close:
        help = f"did you mean `{close}`?"
    elif names:
        help = f"`cnn runs` lists the runs in {RUNS}/"
    else:
        help = f"there is no run in {shown(Path.cwd() / RUNS)}; `cnn train` makes one"
    return Diagnostic("no-run", f"there is no run `{text}`, and no such folder", help=help)
