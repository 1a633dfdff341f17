"""Which words of a command line may be names of runs: `cnn evaluate digits-3` for runs/digits-3."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import NamedTuple

_RUN = "RUN"
_SPECS = ("FILE", "NET", "SPEC", "A", "B", "NETWORK")
"""Arguments that are a spec or a run."""
_OPTIONS = ("resume",)
"""Options whose value is a run."""


class RunName(NamedTuple):
    """A word that is neither a file nor a folder nor a spec of the gallery."""

    dest: str
    at: int | None
    """Its place among the values of the argument; None if that has one."""
    text: str
    only_runs: bool
    """Whether nothing but a run can be meant, so that the beginning of its name is enough."""


def possible_run_names(
    parser: argparse.ArgumentParser, options: argparse.Namespace
) -> Iterator[RunName]:
    """The words of a command line that may name runs."""
    for action in parser._actions:
        positional = not action.option_strings
        if action.metavar not in (_RUN, *_SPECS) or not (positional or action.dest in _OPTIONS):
            continue
        value = getattr(options, action.dest)
        # With --weights, what could be a run is a spec.
        only_runs = action.metavar == _RUN and not getattr(options, "weights", None)
        for at, text in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(text, str) and _names_nothing_else(text, only_runs):
                yield RunName(action.dest, at if isinstance(value, list) else None, text, only_runs)


def _names_nothing_else(text: str, only_runs: bool) -> bool:
    from ...dsl.gallery import find

    if not text or text == "-" or text.endswith(".cnn") or "\0" in text or os.path.lexists(text):
        return False
    return only_runs or os.sep in text or "/" in text or find(text) is None


def with_run(options: argparse.Namespace, name: RunName, folder: str) -> None:
    """Puts the folder of a run in the place of its name."""
    if name.at is None:
        setattr(options, name.dest, folder)
    else:
        getattr(options, name.dest)[name.at] = folder
