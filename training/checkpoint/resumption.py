"""What has changed when a run goes on: in words for the user, and as an entry of its record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...compiler.plan.plan import PlanError, TrainPlan
from ...compiler.plan.plan_differences import Difference, differences
from .resume import is_silent

MOST = 1000
"""The most resumptions that a record keeps; of more, the last ones."""
OF_THE_START = (
    "started", "command", "dotcnn", "torch", "numpy", "python", "platform", "device", "threads",
    "world",
)  # fmt: skip
"""What the record of a run keeps from its start; each resumption has its own."""


def plan_changes(checkpoint: Mapping[str, Any], plan: TrainPlan) -> list[Difference]:
    """The differences between the plan of a checkpoint and that with which training goes on."""
    try:
        before = TrainPlan.from_json(checkpoint["plan"])
    except (KeyError, PlanError):  # of an early version
        return []
    return list(differences(before, plan))


def in_words(changes: Sequence[Difference], epoch: int, position: int) -> list[str]:
    """The changes that decide how training goes on, a sentence each. `epoch` counts from 1, and
    `position` is the number of its images that were trained on before."""
    longer = any(change.word == "epochs" for change in changes)
    since = f"epoch {epoch}" + (f", image {position:,}," if position else "")
    return [
        f"{what} is {now} from {since} on; it was {before}"
        if what != _EPOCHS
        else f"training ends after {now} epochs; it was to end after {before}"
        for change in changes
        if not is_silent(change)
        for what, before, now in _values(change)
        if not (longer and what == _WARMUP)  # it is a share of all epochs
    ]


_EPOCHS, _WARMUP = "epochs", "`warmup` of `schedule`"
_NAMES = {
    ("optimizer", "lr"): "the learning rate",
    ("batch", "size"): "the batch size",
    ("epochs", "count"): _EPOCHS,
    ("accumulate", "batches"): "the number of batches of a step",
    ("clip", "limit"): "the limit of gradients",
}


def _values(change: Difference) -> Iterator[tuple[str, str, str]]:
    """What has changed, and its values before and now."""
    old, new = change.old, change.new
    if len(old) != 1 or len(new) != 1 or type(old[0]) is not type(new[0]):
        called = {"schedule": "the schedule", "augment": "the augmentation"}
        before, now = (text.removeprefix(f"{change.word} ") for text in (change.before, change.now))
        yield called.get(change.word, f"`{change.word}`"), f"`{before}`", f"`{now}`"
        return
    (one,), (other,) = old, new
    for field in other.fields.values():
        before, now = getattr(one, field.name), getattr(other, field.name)
        if before != now:
            usual = f"`{field.name}` of `{change.word}`"
            what = _NAMES.get((change.word, field.name), usual)
            yield what, field.show(before), field.show(now)


def rate_in_words(before: float | None, now: float) -> str:
    """How the schedule goes on, if the learning rate jumps; else empty."""
    if not before or abs(now - before) <= 0.1 * before:
        return ""
    return (
        f"the next step is made at a learning rate of {now:.3g}; the last one was at {before:.3g}"
    )


def continued_record(
    record: dict[str, Any],
    old: Mapping[str, Any],
    *,
    epoch: int,
    position: int,
    steps: int,
    changes: Sequence[Difference],
    said: Sequence[str],
) -> dict[str, Any]:
    """The record of a run that goes on: with what it has from its start, and the resumption."""
    entry = {
        "time": record["started"],
        "epoch": epoch,
        "position": position,
        "steps": steps,
        "changes": [
            {"name": each.name, "before": each.before, "now": each.now}
            for change in changes
            for each in change.changes()
        ],
        "said": list(said),
        **{name: record[name] for name in OF_THE_START if name != "started"},
        **({"plugins": record["plugins"]} if "plugins" in record else {}),
    }
    before = old.get("resumptions") or []
    kept = {name: old[name] for name in OF_THE_START if name in old}
    return {**record, **kept, "resumptions": [*before, entry][-MOST:]}


def latest(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a record says of the process that trained last."""
    resumptions = record.get("resumptions") or [{}]
    return {**record, **resumptions[-1]}
