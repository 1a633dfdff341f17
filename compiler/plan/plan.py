"""The sections of a spec as one frozen, validated plan: what each has places for, and plan.json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, TypeVar, get_args, get_type_hints

from ..shapes import Shape
from .augment import Augmentation
from .data import Data, Split
from .directive import REGISTRY, Directive
from .evaluate import CentreCrop, Normalize, Resize, Tta
from .loss import Loss, Weights
from .optimizer import Optimizer
from .schedule import Schedule
from .train import (
    Accumulate,
    Batch,
    ChannelsLast,
    Checkpoint,
    Clip,
    Compile,
    Deterministic,
    EarlyStop,
    Ema,
    Ensemble,
    Epochs,
    Log,
    Metrics,
    Precision,
    Seed,
    SyncBn,
    Workers,
)
from .transfer import (
    L2,
    Cache,
    Decay,
    Features,
    Freeze,
    From,
    Head,
    Policy,
    Rates,
    Unfreeze,
)

S = TypeVar("S")

FORMAT = 1
"""Of plan.json; goes up when what was written before can no longer be read."""


class PlanError(ValueError):
    """A plan.json that is none."""


@dataclass(frozen=True)
class Train:
    """How the network learns."""

    data: Data
    split: Split
    epochs: Epochs
    batch: Batch
    accumulate: Accumulate
    optimizer: Optimizer
    schedule: Schedule
    loss: Loss
    weights: Weights
    precision: Precision
    channels_last: ChannelsLast
    compile: Compile
    clip: Clip | None
    ema: Ema | None
    early_stop: EarlyStop | None
    seed: Seed
    deterministic: Deterministic
    sync_bn: SyncBn
    workers: Workers
    ensemble: Ensemble
    metrics: Metrics
    checkpoint: Checkpoint
    log: Log | None


@dataclass(frozen=True)
class Evaluate:
    """How images meet the network; training begins with it, too."""

    resize: Resize | None
    """None where the network does not take images."""
    crop: CentreCrop | None
    normalize: Normalize
    tta: Tta | None


@dataclass(frozen=True)
class Transfer:
    """Whose weights are taken, and what becomes of them."""

    source: From
    freeze: Freeze | None
    unfreeze: tuple[Unfreeze, ...]
    rates: Rates | None
    decay: Decay | None
    head: Head | None
    features: Features | None
    l2: L2 | None
    policy: Policy | None
    cache: Cache | None


@dataclass(frozen=True)
class TrainPlan:
    """Everything that a spec says beside its network, every default filled in.

    Every directive knows where it is written: `plan.train.optimizer.place("lr")`.
    """

    network: str
    input: Shape
    outputs: Shape
    """Of the network."""
    train: Train
    augment: tuple[Augmentation, ...]
    """In the order in which they are done."""
    evaluate: Evaluate
    transfer: Transfer | None
    """None where the network begins with weights of its own."""

    def to_json(self) -> str:
        """The same plan gives the same text."""
        data = {
            "format": FORMAT,
            "network": self.network,
            "input": self.input,
            "outputs": self.outputs,
            "train": _section(self.train),
            "augment": [_directive(one) for one in self.augment],
            "evaluate": _section(self.evaluate),
            "transfer": _section(self.transfer) if self.transfer else None,
        }
        return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @staticmethod
    def from_json(text: str) -> TrainPlan:
        """Raises PlanError for anything but what `to_json` wrote."""
        try:
            data = json.loads(text)
            if data["format"] != FORMAT:
                raise PlanError(f"this plan has format {data['format']!r}, not {FORMAT}")
            return TrainPlan(
                str(data["network"]),
                _shape(data["input"]),
                _shape(data["outputs"]),
                _read_section(Train, "train", data["train"]),
                tuple(_augmentations(data["augment"])),
                _read_section(Evaluate, "evaluate", data["evaluate"]),
                _read_section(Transfer, "transfer", data["transfer"]) if data["transfer"] else None,
            )
        except PlanError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise PlanError(f"this is no plan: {error!r}") from None

    def directives(self) -> Iterator[Directive]:
        """All of them, section by section."""
        yield from in_section(self.train)
        yield from self.augment
        yield from in_section(self.evaluate)
        if self.transfer is not None:
            yield from in_section(self.transfer)


def in_section(section: object) -> Iterator[Directive]:
    """The directives of a section, in the order of its fields."""
    for slot in slots(type(section)):
        value = getattr(section, slot.name)
        if slot.several:
            yield from value
        elif value is not None:
            yield value


# ---- JSON ------------------------------------------------------------------------------------


def _section(section: object) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for slot in slots(type(section)):
        value = getattr(section, slot.name)
        if slot.several:
            found[slot.word] = [_directive(one) for one in value]
        else:
            found[slot.word] = None if value is None else _directive(value)
    return found


def _directive(directive: Directive) -> dict[str, Any]:
    return {"is": directive.word, **directive.arguments}


def _shape(value: Any) -> Shape:
    if not isinstance(value, list) or not all(type(size) is int and size > 0 for size in value):
        raise PlanError(f"{value!r} is no shape")
    return tuple(value)


def _augmentations(data: Sequence[dict[str, Any]]) -> Iterator[Augmentation]:
    for item in data:
        made = _read_directive("augment", item)
        if not isinstance(made, Augmentation):
            raise PlanError(f"`{made.word}` does not change images")
        yield made


def _read_section(section: type[S], name: str, data: dict[str, Any]) -> S:
    values: dict[str, Any] = {}
    for slot in slots(section):
        item = data[slot.word]
        if slot.several:
            values[slot.name] = tuple(_read_directive(name, one) for one in item)
        elif item is None and slot.optional:
            values[slot.name] = None
        else:
            values[slot.name] = _read_directive(name, item)
            if not slot.takes(values[slot.name]):
                raise PlanError(f"`{item['is']}` is no {slot.word}")
    return section(**values)


def _read_directive(section: str, item: dict[str, Any]) -> Directive:
    values = dict(item)
    kind = REGISTRY[section][values.pop("is")]
    if set(values) != set(kind.fields):
        raise PlanError(f"`{kind.word}` has other arguments: {', '.join(kind.fields)}")
    return kind.make(**{name: _tuples(value) for name, value in values.items()})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


# ---- what sections have places for ----------------------------------------------------------


class Slot(NamedTuple):
    name: str
    kind: type[Directive]
    """The class of what goes there, or the one above its kinds."""
    optional: bool
    several: bool

    def takes(self, directive: Directive) -> bool:
        return isinstance(directive, self.kind)

    @property
    def word(self) -> str:
        """The word that a spec has for it."""
        return words_of(self.kind)


_KNOWN: dict[type[Any], tuple[Slot, ...]] = {}


def slots(section: type[Any]) -> tuple[Slot, ...]:
    if section not in _KNOWN:
        hints = get_type_hints(section)
        _KNOWN[section] = tuple(_slot(field.name, hints[field.name]) for field in fields(section))
    return _KNOWN[section]


def _slot(name: str, hint: Any) -> Slot:
    inside = [part for part in get_args(hint) if part not in (type(None), ...)]
    kind = inside[0] if inside else hint
    several = getattr(hint, "__origin__", None) is tuple
    return Slot(name, kind, bool(inside) and not several, several)


def words_of(kind: type[Directive]) -> str:
    """Of a class above several kinds, the word that they share."""
    if kind.word:
        return kind.head()
    return next(one.head() for one in _below(kind) if one.word)


def _below(kind: type[Directive]) -> list[type[Directive]]:
    found = []
    for one in kind.__subclasses__():
        found += [one, *_below(one)]
    return found
