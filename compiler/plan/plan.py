"""TrainPlan: the sections of a spec as one frozen, validated plan, and its file plan.json."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, TypeVar, get_args, get_type_hints

from ... import __version__
from ...dsl.diagnostics import SpecError
from ...dsl.source import Span
from ..extend.identity import Identity
from ..extend.used_plugins import words_of_recorded
from ..language.signature import ArgumentError, Field
from ..language.values import Text, Word
from ..shapes import Shape, axes_of
from . import number_loss  # noqa: F401 - it enters its directives
from .augment.augmentation import Augmentation
from .composite import Composite
from .data import Data, Split
from .degradation import Degradation
from .directive import Context, Directive, directives, vocabulary
from .evaluate import CentreCrop, Normalization, Normalize, Pad, Resize, Tta, joined
from .log import Log
from .loss import IMAGES, Loss, Weights
from .optimizer import Optimizer
from .schedule import Schedule
from .spectrogram import TimeFrequency
from .tiles import Tiles
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
    FreezeAfter,
    Lookahead,
    Metrics,
    Precision,
    Recompute,
    Seed,
    SyncBn,
    Validate,
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
"""The format number of plan.json.

It increases only if files of older versions can no longer be read: directives they lack take their
default, and unknown ones are an error that names them.
"""


class PlanError(ValueError):
    """A plan.json that cannot be read."""


class MapOutput(NamedTuple):
    """One of several outputs, which answers for each pixel."""

    name: str
    shape: Shape
    ends_in: str
    """The word of its last layer, if that gives probabilities, as of the network's `ends_in`."""


class NamedInput(NamedTuple):
    """One of several inputs. A sample of the data is all inputs concatenated by channels."""

    name: str
    channels: int
    like: str = ""
    """The input before it that the same weights see (`share`): both are normalized alike."""


@dataclass(frozen=True)
class Train:
    """The train section."""

    data: Data
    degrade: tuple[Degradation, ...]
    """How the input is made worse than the image that is to be answered, step by step."""
    split: Split
    epochs: Epochs
    batch: Batch
    accumulate: Accumulate
    optimizer: Optimizer
    schedule: Schedule
    losses: tuple[Loss, ...]
    """One for each output of the network."""
    weights: Weights
    precision: Precision
    channels_last: ChannelsLast
    compile: Compile
    recompute: Recompute | None
    clip: Clip | None
    ema: Ema | None
    lookahead: Lookahead | None
    freeze_after: FreezeAfter | None
    early_stop: EarlyStop | None
    seed: Seed
    deterministic: Deterministic
    sync_bn: SyncBn
    workers: Workers
    ensemble: Ensemble
    validate: Validate
    metrics: Metrics
    checkpoint: Checkpoint
    logs: tuple[Log, ...]

    @property
    def loss(self) -> Loss:
        """The loss of a network of one output; else the first."""
        return self.losses[0]


@dataclass(frozen=True)
class Evaluate:
    """The evaluate section: preprocessing, which training uses, too."""

    resize: Resize | None
    """None if the network does not take images."""
    crop: CentreCrop | None
    spectrogram: TimeFrequency | None
    """For series: the network takes their spectrograms."""
    pad: Pad | None
    normalizations: tuple[Normalize, ...]
    """One for each input of the network."""
    tta: Tta | None
    tiles: Tiles | None
    composite: Composite | None

    @property
    def normalize(self) -> Normalize:
        """That of a network of one input; else of the first."""
        return self.normalizations[0]

    def normalized_by(self, normalize: Normalize) -> Evaluate:
        """The same with this one for all inputs."""
        return dataclasses.replace(self, normalizations=(normalize,))


@dataclass(frozen=True)
class Transfer:
    """The transfer section: pretrained weights, and which of them are trained."""

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
    """Everything that a spec says beside its network, with every default filled in. Every directive
    knows its place in the spec: `plan.train.optimizer.place("lr")`.
    """

    network: str
    input: Shape
    """The shape of the network's input; of several, that of a sample with the channels of all."""
    outputs: Shape
    """Parameters of the network."""
    train: Train
    augment: tuple[Augmentation, ...]
    """The augment section, in the order of execution."""
    evaluate: Evaluate
    transfer: Transfer | None
    """None if the network is trained from random weights."""
    input_place: Span | None = dataclasses.field(default=None, compare=False, repr=False)
    """The place of the input in the spec; None for a plan that was read from a file."""
    ends_in: str = ""
    """The word of the network's last layer, if that gives probabilities: `sigmoid`, `softmax`. The
    module that is trained leaves it out."""
    inputs: tuple[NamedInput, ...] = ()
    """The inputs of a network that has several; else none."""
    maps: tuple[MapOutput, ...] = ()
    """Of a network with several outputs, those that answer for each pixel."""
    plugins: tuple[Identity, ...] = dataclasses.field(default=(), compare=False)
    """The plug-ins that have words of it, or of the network."""

    @property
    def normalization(self) -> Normalization:
        """The normalization of a sample: of several inputs, that of all their channels."""
        each = self.evaluate.normalizations
        if len(each) == 1:
            return each[0].pixels
        return joined([one.pixels for one in each], [part.channels for part in self.inputs])

    @property
    def has_samples(self) -> bool:
        """Whether the data is series or scans: not images, and of numbers in their own units."""
        return axes_of(self.sample) in (1, 3)

    @property
    def learns_images(self) -> bool:
        """Whether the network learns to answer with an image."""
        alone = len(self.train.losses) == 1
        return alone and len(self.outputs) == 3 and IMAGES in self.train.loss.tasks

    @property
    def enlarges(self) -> int:
        """How many times larger the network's answer is than its input, along each side."""
        return self.outputs[1] // self.input[1] if len(self.outputs) == 3 else 1

    @property
    def series(self) -> bool:
        """Whether samples are series. The network may take their spectrograms."""
        return axes_of(self.sample) == 1

    @property
    def sample(self) -> Shape:
        """The shape of a sample of the data: of the network's input, or of the series whose
        spectrogram that is."""
        spectrogram = self.evaluate.spectrogram
        return self.input if spectrogram is None else spectrogram.sample(self.input)

    def to_json(self) -> str:
        """The plan as JSON; equal plans give equal text."""
        data = {
            "format": FORMAT,
            "dotcnn": __version__,
            "network": self.network,
            "input": self.input,
            "outputs": self.outputs,
            "train": _section(self.train),
            "augment": [_directive(directive) for directive in self.augment],
            "evaluate": _section(self.evaluate),
            "transfer": _section(self.transfer) if self.transfer else None,
            **({"ends_in": self.ends_in} if self.ends_in else {}),
            **({"inputs": self.inputs} if self.inputs else {}),
            **({"maps": self.maps} if self.maps else {}),
            **({"plugins": [one._asdict() for one in self.plugins]} if self.plugins else {}),
        }
        return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @staticmethod
    def from_json(text: str) -> TrainPlan:
        """Reads a plan written by any version of dotcnn.

        Directives that are missing take their default; raises PlanError for unknown ones, and for
        text that is not a plan, and SpecError for plug-ins that are missing.
        """
        try:
            data = json.loads(text)
            plugins = [Identity.from_json(each) for each in data.get("plugins", ())]
            if not plugins:
                return _Reader(data).plan()
            with words_of_recorded(plugins):
                return dataclasses.replace(_Reader(data).plan(), plugins=tuple(plugins))
        except (PlanError, SpecError):
            raise
        except KeyError as error:
            raise PlanError(f"it is not a plan: it has no {error}") from None
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            raise PlanError(f"it is not a plan: {error}") from None

    def directives(self) -> Iterator[Directive]:
        """All directives, section by section."""
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
    data: dict[str, Any] = {}
    for slot in slots(type(section)):
        value = getattr(section, slot.name)
        if slot.several:
            each = [_directive(directive) for directive in value]
            one = slot.kind in (Loss, Normalize) and len(each) == 1
            data[slot.word] = each[0] if one else each
        else:
            data[slot.word] = None if value is None else _directive(value)
    return data


def _directive(directive: Directive) -> dict[str, Any]:
    return {"is": directive.word, **directive.arguments}


class _Reader:
    """Reads the output of `to_json` of this version or an older one."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        version = data.get("dotcnn") or "by a version that did not record its number"
        self.versions = f"it was written by dotcnn {version}, and this is {__version__}"
        if data["format"] != FORMAT:
            raise PlanError(
                f"it has format {data['format']!r}, and only {FORMAT} can be read: {self.versions}"
            )
        self.shape = _shape(data["input"])
        transformed = bool(data["evaluate"].get(words_of(TimeFrequency)))
        self.samples = transformed or axes_of(self.shape) in (1, 3)
        self.defaults = Context(None, {}, self.shape, series=transformed)

    def plan(self) -> TrainPlan:
        data = self.data
        transfer = data.get("transfer")
        return TrainPlan(
            str(data["network"]),
            self.shape,
            _shape(data["outputs"]),
            self.section(Train, "train", data["train"]),
            tuple(self.augmentations(data["augment"])),
            self.evaluate(data["evaluate"]),
            self.section(Transfer, "transfer", transfer) if transfer else None,
            ends_in=str(data.get("ends_in", "")),
            inputs=tuple([_named_input(each) for each in data.get("inputs", ())]),
            maps=tuple([_map_output(each) for each in data.get("maps", ())]),
        )

    def evaluate(self, data: dict[str, Any]) -> Evaluate:
        evaluate = self.section(Evaluate, "evaluate", data)
        spectrogram = evaluate.spectrogram
        if spectrogram is not None and not spectrogram.sample(self.shape):
            raise PlanError(f"`{spectrogram}` does not make {self.shape}")
        return evaluate

    def augmentations(self, data: Sequence[Any]) -> Iterator[Augmentation]:
        for item in data:
            directive = self.directive("augment", item)
            assert isinstance(directive, Augmentation)
            yield directive

    def section(self, section: type[S], name: str, data: dict[str, Any]) -> S:
        known = slots(section)
        self.must_be_known(data, [slot.word for slot in known], f"`{name}` has `{{}}`")
        return section(**{slot.name: self.slot(name, slot, data) for slot in known})

    def slot(self, section: str, slot: Slot, data: dict[str, Any]) -> Any:
        if slot.several:
            if slot.word not in data:
                return slot.kind.filled(self.defaults)
            entries = data[slot.word] or ()  # a `log` of older plans may be null
            entries = [entries] if isinstance(entries, dict) else entries
            return tuple(self.directive(section, entry) for entry in entries)
        item = data.get(slot.word)
        if slot.word not in data:
            directive = slot.kind.usual(self.defaults)
        else:
            directive = None if item is None else self.directive(section, item)
        if directive is None and slot.optional:
            return None
        if not isinstance(directive, slot.kind):
            raise PlanError(f"`{section}` lacks `{slot.word}`")
        return directive

    def directive(self, section: str, item: Any) -> Directive:
        values = dict(item)
        word = values.pop("is")
        known = directives(vocabulary(section, self.samples))
        self.must_be_known([word], known, f"`{section}` has `{{}}`")
        kind = known[word]
        self.must_be_known(values, kind.fields, f"`{word}` has an argument `{{}}`")
        for field in kind.fields.values():
            if field.name in values:
                values[field.name] = _value(field, values[field.name])
            elif field.required:
                raise PlanError(f"`{word}` lacks its argument `{field.name}`")
        try:
            directive = kind.make(**values)
            directive.check()
        except ArgumentError as error:
            raise PlanError(f"`{word}`: {error.message}") from None
        return directive

    def must_be_known(self, words: Iterable[str], known: Collection[str], message: str) -> None:
        unknown = [word for word in words if word not in known]
        if unknown:
            raise PlanError(
                f"{message.format(unknown[0])}, which is unknown to this version: {self.versions}"
            )


def _shape(value: Any) -> Shape:
    if not isinstance(value, list) or not all(type(size) is int and size > 0 for size in value):
        raise PlanError(f"{value!r} is not a shape")
    return tuple(value)


def _map_output(value: Any) -> MapOutput:
    name, shape, ends_in = value
    return MapOutput(str(name), _shape(shape), str(ends_in))


def _named_input(value: Any) -> NamedInput:
    name, channels, like = value
    if type(channels) is not int or channels < 1:
        raise PlanError(f"{value!r} is not an input")
    return NamedInput(str(name), channels, str(like))


def _value(field: Field, value: Any) -> Any:
    """The value of an argument: only values that a spec could set are accepted."""
    value = _tuples(value)
    if value is None and field.default is None:
        return None
    for read_as in (value, _texts(value, Word), _texts(value, Text)):
        try:
            if field.read(read_as) == value:
                return value
        except ArgumentError:
            pass
    raise PlanError(f"{value!r} is not a value of `{field.name}`, {field.expects}")


def _texts(value: Any, kind: type[str]) -> Any:
    """Wraps text as values of a spec, also in lists."""
    if isinstance(value, str):
        return kind(value)
    return [_texts(item, kind) for item in value] if isinstance(value, tuple) else value


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


# ---- the fields of sections ------------------------------------------------------------------


class Slot(NamedTuple):
    name: str
    kind: type[Directive]
    """The class of its directive, or the common base class of several kinds."""
    optional: bool
    several: bool

    @property
    def word(self) -> str:
        """Its word in a spec."""
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
    """The words of a class; for a base class of several kinds, their common word."""
    if kind.word:
        return kind.head()
    return next(subclass.head() for subclass in _below(kind) if subclass.word)


def _below(kind: type[Directive]) -> list[type[Directive]]:
    kinds = []
    for subclass in kind.__subclasses__():
        kinds += [subclass, *_below(subclass)]
    return kinds
