"""What is said of weights that are not there: `from "resnet20"` names a spec of the gallery, which
has none."""

from __future__ import annotations

import os
from pathlib import Path

from ...dsl.closest import closest
from ...dsl.diagnostics import Diagnostic
from ...dsl.gallery import find

_MOST = 1000
"""The most neighbors of a file that are compared with its name."""


def missing_weights(name: str, path: Path) -> Diagnostic:
    """The error for a source of weights, by its name in the spec, that does not exist at a path."""
    message = f"there are no weights at {name}"
    note = f"looked for at {path.absolute()}"
    help = "name a run folder or a file of weights; paths are relative to the folder of the spec"
    if os.path.isdir(Path("runs") / name) and os.path.relpath(path.parent) == ".":
        help = f"did you mean `runs/{name}`?"
    elif find(name) is not None:
        message = f"{name} is a spec of the gallery and has no weights"
        help = (
            "name a file of weights, a run folder, `torchvision:NAME` or `timm:NAME`; `--like"
            f" {name}` begins with its layers"
        )
    else:
        close = closest(path.name, _beside(path), cutoff=0.7)
        help = f"did you mean `{path.with_name(close).name}`?" if close else help
    return Diagnostic("no-such-file", message, notes=(note,), help=help)


def _beside(path: Path) -> list[str]:
    try:
        return sorted(os.listdir(path.parent))[:_MOST]
    except (OSError, ValueError):
        return []
