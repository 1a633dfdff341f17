"""What an unknown option stands for: `--epochs 3` is a directive of the spec, set by `--set`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ...dsl.closest import closest
from ..plan.directive import REGISTRY
from ..plan.foreign_directives import instead_of

_ELSEWHERE = {
    "--gpus": "--devices", "--num_gpus": "--devices", "--n_trials": "--trials", "-n": "--trials",
    "--json": "--format json", "--csv": "--format csv", "--template": "--like", "-d": "--data",
}  # fmt: skip
"""Options of other tools."""


def advice(words: Sequence[str], options: Collection[str]) -> str:
    """What to write instead of unrecognized arguments; "" if that is not known."""
    option, _, value = words[0].partition("=")
    if not value and len(words) > 1 and not words[1].startswith("-"):
        value = words[1]
    name = option.lstrip("-").replace("-", "_")
    ours = _ELSEWHERE.get(option if option == f"-{name}" else f"--{name}", "")
    if ours.split(" ")[0] in options:
        return f"did you mean `{ours}`?"
    place = _place(name) if "--set" in options else ""
    if place:
        given = place if "=" in place else f"{place}={value or '…'}"
        return f"it is a setting of the spec: `--set {given}`"
    close = closest(option, options) if option.startswith("--") else ""
    return f"did you mean `{close}`?" if close else ""


def _place(name: str) -> str:
    """The place of a setting of training: `train.optimizer.lr`, or with a value `train.log=csv`."""
    words = (name if name in REGISTRY["train"] else instead_of("train", name)).split(" ")
    if not words[0]:
        return ""
    last = words[-1].partition("=")
    if last[1]:
        return f"train.{words[0]}.{last[0]}"
    return f"train.{words[0]}" + (f"={words[1]}" if len(words) > 1 else "")
