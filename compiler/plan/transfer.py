"""Directives of the transfer section, for fine-tuning: `transfer { from "runs/a", freeze until
layer4 }`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ...dsl.closest import closest
from ...dsl.diagnostics import Diagnostic, Edit, Label
from ...dsl.source import Span
from ...dsl.syntax import Call
from ..language.evaluate import Env, Evaluated
from ..language.kinds import (
    choice,
    custom,
    factor,
    file_name,
    flag,
    layer_name,
    layer_names,
    number,
    read_factor,
    switch,
    whole,
    write_factor,
)
from ..language.problems import Problem
from ..language.signature import ArgumentError
from ..language.values import Text, Word, exact, name_or_text, quoted, show
from ..network import Node
from .augment.augmentation import Augmentation
from .augment.mixing import Mixing
from .degradation import Degradation
from .directive import Context, Directive, conflict, unknown_parts
from .layer_names import learning
from .train import Epochs, unreached

LIBRARIES = ("torchvision", "timm")

_LIBRARY = re.compile(r"([A-Za-z_][A-Za-z0-9_]+):(.*)\Z")
_MODEL = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*\Z")


_NAMED = 'name the weights: `from "torchvision:ResNet50_Weights.IMAGENET1K_V2"`, or a file'


def _source(value: object) -> str:
    if not isinstance(value, Text):
        raise ArgumentError(f"{show(value)} is not text", instead=quoted(show(value)))
    text = str(value)
    if not text.strip() or not text.isprintable():
        raise ArgumentError("this is empty, or not printable")
    if re.match(r"(https?|ftp)://", text):
        raise ArgumentError("URLs are not downloaded", "download the file, and write its path")
    library = _LIBRARY.match(text)
    if library and library[1] not in LIBRARIES:
        close = closest(library[1], LIBRARIES)
        instead = quoted(f"{close}:{library[2]}") if close else ""
        listed = " and ".join(f"`{name}:`" for name in LIBRARIES)
        raise ArgumentError(
            f"`{library[1]}:` is not a known library; those are {listed}", instead=instead
        )
    if library and not _MODEL.match(library[2]):
        raise ArgumentError(
            f"`{library[2]}` names no weights of {library[1]}",
            'write it like "torchvision:ResNet50_Weights.IMAGENET1K_V2" or "timm:resnet50.a1_in1k"',
        )
    return text


class From(Directive):
    """The source of pretrained weights."""

    section = "transfer"
    word = "from"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "from": "weights pretrained checkpoint load init_from source from_pretrained"
        " initial_checkpoint"
    }
    advice: ClassVar[Mapping[str, str]] = {_NAMED: "weights pretrained"}

    source: str = custom(
        "a run folder, a file of weights, or a model of torchvision or timm",
        _source,
        'a file or folder, or a name like "torchvision:ResNet50_Weights.IMAGENET1K_V2"',
        takes_words=True,
        write=quoted,
        example='"torchvision:ResNet50_Weights.IMAGENET1K_V2"',
    )

    @property
    def library(self) -> str:
        """`torchvision` or `timm`; "" for a file or folder."""
        match = _LIBRARY.match(self.source)
        return match[1] if match else ""


# ---- freezing --------------------------------------------------------------------------------


class Freeze(Directive):
    """Layers that keep their weights and the statistics of their normalization."""

    section = "transfer"
    may_be_off = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        "freeze all": "freeze_all trainable requires_grad freeze_backbone feature_extract",
        "freeze until": "freeze_to freeze_until",
    }

    @property
    def names(self) -> tuple[str, ...]:
        return ()

    @property
    def nothing(self) -> tuple[str, str]:
        """Why it freezes nothing, and what to do."""
        return (
            "no layer in it has weights",
            "name a layer with weights, or take it out",
        )

    def frozen(self, context: Context) -> list[Node]:
        """The layers that are frozen."""
        raise NotImplementedError

    def problems(self, context: Context) -> Iterator[Problem]:
        unknown = list(unknown_parts(self.names, self, context))
        yield from unknown
        if unknown or context.layers is None or self.span is None:
            return
        frozen = learning(self.frozen(context))
        if not frozen:
            yield Problem(
                "conflict",
                f"this freezes nothing: {self.nothing[0]}",
                self.span,
                help=self.nothing[1],
            )
        elif len(frozen) == len(learning(context.layers.network.nodes)):
            yield Problem(
                "conflict",
                "this freezes all weights: nothing would be trained",
                self.span,
                help=f"train the head: `freeze except {_head_name(context)}`",
            )
        else:
            yield from self._kept_at_random(frozen, context)

    def _kept_at_random(self, frozen: Sequence[Node], context: Context) -> Iterator[Problem]:
        """The error for a head that is reset but frozen: it would stay random."""
        head = context.find(Head)
        if head is None or not head.reset or context.all(Unfreeze):
            return
        stuck = {node.index for node in head_of(context)} & {node.index for node in frozen}
        if stuck and context.network is not None:
            name = context.network.nodes[min(stuck)].name
            message = f"`{name}` is reset, but this freezes it"
            yield conflict(
                message, self, head, help="freeze less, or do not reset the head", drop=False
            )


class FreezeUntil(Freeze):
    """Freeze everything before a layer or scope."""

    word = "freeze until"

    name: str = layer_name("the first layer or scope that is trained", example="layer4")

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def nothing(self) -> tuple[str, str]:
        why = f"`until` ends before {self.name}, and nothing before that has weights"
        return why, f"name the first layer to be trained, or write `freeze only {self.name}`"

    def frozen(self, context: Context) -> list[Node]:
        return context.layers.before(self.name) if context.layers else []


class FreezeAll(Freeze):
    """Freeze everything but the head: the last layer with weights, or what `head` names."""

    word = "freeze all"

    def frozen(self, context: Context) -> list[Node]:
        if context.network is None:
            return []
        head = {node.index for node in head_of(context)}
        return [node for node in context.network.nodes[1:] if node.index not in head]


class FreezeOnly(Freeze):
    """Freeze the layers that are named, and nothing else."""

    word = "freeze only"

    parts: tuple[str, ...] = layer_names("the layers or scopes to freeze", example="stem layer1")

    @property
    def names(self) -> tuple[str, ...]:
        return self.parts

    def frozen(self, context: Context) -> list[Node]:
        return context.layers.all_of(self.parts) if context.layers else []


class FreezeExcept(Freeze):
    """Freeze all but the layers that are named."""

    word = "freeze except"

    parts: tuple[str, ...] = layer_names("the layers or scopes to train", example="layer4 fc")

    @property
    def names(self) -> tuple[str, ...]:
        return self.parts

    def frozen(self, context: Context) -> list[Node]:
        if context.network is None or context.layers is None:
            return []
        free = {node.index for node in context.layers.all_of(self.parts)}
        return [node for node in context.network.nodes[1:] if node.index not in free]


def _head_name(context: Context) -> str:
    """The name of the head in messages."""
    last = context.layers.last if context.layers else None
    return name_or_text(last.name) if last else "…"


class Unfreeze(Directive):
    """Unfreeze layers from an epoch on: `unfreeze at epoch 5 until layer3`."""

    section = "transfer"
    may_be_off = True
    word = "unfreeze"
    several = True
    usage = "unfreeze at epoch N until LAYER"
    elsewhere: ClassVar[Mapping[str, str]] = {"unfreeze": "unfreeze_at gradual_unfreezing thaw"}

    epoch: int = whole("the epoch; the first is 1", minimum=2, example="at epoch 5")
    until: str | None = layer_name(
        "the first layer or scope that is then trained; by default all are", None
    )

    @classmethod
    def arranged(cls, arguments: Sequence[Evaluated]) -> list[Evaluated]:
        """`at` and `epoch` are filler words; `until` is followed by the name."""
        kept: list[Evaluated] = []
        named: Evaluated | None = None
        for argument in arguments:
            node, value = argument
            word = str(value) if isinstance(value, Word) and node.name is None else ""
            if named is not None and node.name is None:
                kept.append(Evaluated(node.named("until"), value))
                named = None
            elif word == "until":
                named = argument
            elif word and word not in ("at", "epoch"):
                part = word if len(arguments) == 1 else "…"
                raise Problem(
                    "argument",
                    f"`{word}` is not an epoch",
                    node.span,
                    notes=(f"it is written `{cls.usage}`",),
                    help=f"write `unfreeze at epoch 5 until {part}`",
                )
            elif not word:
                kept.append(argument)
        if named is not None:
            raise Problem(
                "missing-argument",
                "`until` needs a layer or scope of the network",
                named.node.span,
                notes=(f"it is written `{cls.usage}`",),
                help="name one, or take `until` out to unfreeze everything",
            )
        return kept

    def __str__(self) -> str:
        until = f" until {name_or_text(self.until)}" if self.until else ""
        return "unfreeze off" if self.off else f"unfreeze at epoch {self.epoch}{until}"

    def problems(self, context: Context) -> Iterator[Problem]:
        if self.until is not None:
            yield from unknown_parts((self.until,), self, context)
        if self.origin is None:
            return
        if not _freezes(context):
            yield Problem(
                "conflict",
                "nothing is frozen",
                self.origin.span,
                help="write `freeze all`, or `freeze until …`, too",
            )
        number = self._number(context)
        before = context.all(Unfreeze)[number - 1] if number else None
        if before is not None and before.epoch >= self.epoch:
            yield conflict(
                f"epoch {self.epoch} does not come after epoch {before.epoch}",
                self,
                before,
                help="write them in ascending order",
                drop=False,
            )
        elif self._changes_nothing(context):
            until = f" from `{self.until}` on" if self.until else ""
            yield Problem(
                "conflict",
                f"this unfreezes nothing: all{until} is trained already",
                self.origin.span,
                help="name a layer closer to the input, or take this out",
            )

    def _number(self, context: Context) -> int:
        """Its index among all: two may be equal."""
        return [unfreeze is self for unfreeze in context.all(Unfreeze)].index(True)

    def _changes_nothing(self, context: Context) -> bool:
        """Whether it trains no more weights than before, as far as that is known."""
        parts, named = (
            context.layers,
            [other.until for other in context.all(Unfreeze) if other.until],
        )
        if parts is None or not all(map(parts.nodes, named)):
            return False
        frozen = [len(learning(nodes)) for _, nodes in frozen_from(context)]
        number = self._number(context)
        return frozen[0] > 0 and frozen[number + 1] == frozen[number]

    def warnings(self, context: Context) -> Iterator[Diagnostic]:
        epochs = context.get(Epochs).count
        if self.epoch > epochs:
            yield from unreached(self, "epoch", f"training ends after {exact(epochs)} epochs")


def frozen_from(context: Context) -> Iterator[tuple[int, list[Node]]]:
    """The frozen layers by first epoch, counted from 1."""
    features, freeze = context.find(Features), context.find(Freeze)
    frozen = freeze.frozen(context) if freeze else []
    if features is not None and not features.trained:
        frozen = features.kept(context)
    yield 1, frozen
    for directive in context.all(Unfreeze):
        until = directive.until
        kept = context.layers.before(until) if until and context.layers else []
        indices = {node.index for node in kept}
        frozen = [node for node in frozen if node.index in indices]
        yield directive.epoch, frozen


def _freezes(context: Context) -> bool:
    """Whether anything is frozen, at first."""
    kept = any(not features.trained for features in context.all(Features))
    return bool(kept or context.all(Freeze) or context.all(Policy))


# ---- learning rates --------------------------------------------------------------------------


def _pairs(value: object) -> tuple[tuple[str, float], ...]:
    """The layers and factors of a saved plan; in a spec, `Rates.read` reads them one by one."""
    if not isinstance(value, tuple) or not value:
        raise ArgumentError(f"{show(value)} is not a list of layers and factors")
    pairs = []
    for pair in value:
        match pair:
            case (str(name), factor):
                pairs.append((name, read_factor(factor)))
            case _:
                raise ArgumentError(f"{show(pair)} is not a layer and a factor")
    if len(dict(pairs)) < len(pairs):
        raise ArgumentError("a layer is given twice")
    return tuple(pairs)


class Rates(Directive):
    """Learning rates of layers, as factors of the optimizer's: `lr layer1=0.1x layer2=0.3x`."""

    section = "transfer"
    may_be_off = True
    word = "lr"
    example = "lr layer1=0.1x layer3=0.3x"
    usage = 'lr LAYER=0.1x … or lr "PATTERN" 0.1x …'
    elsewhere: ClassVar[Mapping[str, str]] = {
        "lr": "param_groups discriminative_lr layer_lr lrs lr_mult"
    }

    factors: tuple[tuple[str, float], ...] = custom(
        "layers or scopes, each with its factor", _pairs, ""
    )

    @classmethod
    def read(
        cls, call: Call, arguments: Sequence[Evaluated], env: Env, words: Collection[str]
    ) -> dict[str, Any]:
        factors: list[tuple[str, float]] = []
        waiting = ""
        for node, value in arguments:
            name = node.name or waiting
            if not name:
                if not isinstance(value, (Word, Text)) or not value.strip():
                    raise cls._wrong(f"`{node.span.text}` is not a name", node.span)
                waiting = str(value)
                continue
            if name in [known for known, _ in factors]:
                raise cls._wrong(f"`{name}` is given twice", node.span, "repeated-argument")
            try:
                factors.append((name, read_factor(value)))
            except ArgumentError as error:
                raise cls._wrong(f"a rate is a factor; {error.message}", node.span) from None
            waiting = ""
        if waiting or not factors:
            raise Problem(
                "missing-argument",
                f"`lr` needs a factor for `{waiting}`" if waiting else "`lr` needs a layer",
                call.head.span,
                notes=(f"it is written `{cls.usage}`",),
                help="write `lr layer1=0.1x`, with the name of a layer or scope",
            )
        return {"factors": tuple(factors)}

    def one(self, argument: Evaluated) -> tuple[str, Any]:
        name = str(argument.node.name)
        try:
            new = (name, read_factor(argument.value))
        except ArgumentError as error:
            message = f"a rate is a factor; {error.message}"
            raise self._wrong(message, argument.node.span) from None
        return "factors", (*(pair for pair in self.factors if pair[0] != name), new)

    @classmethod
    def _wrong(cls, message: str, span: Span, code: str = "argument") -> Problem:
        return Problem(code, message, span, notes=(f"it is written `{cls.usage}`",))

    def __str__(self) -> str:
        return " ".join(
            [self.word, *(f"{quoted(name)} {write_factor(by)}" for name, by in self.factors)]
        )

    def problems(self, context: Context) -> Iterator[Problem]:
        yield from unknown_parts([name for name, _ in self.factors], self, context)


class Decay(Directive):
    """Layer-wise learning rate decay: smaller rates towards the input."""

    section = "transfer"
    may_be_off = True
    word = "decay"
    elsewhere: ClassVar[Mapping[str, str]] = {"decay": "layer_decay layerwise_decay llrd"}

    factor: float = number(
        "factor from each layer or block to the one before it", 0.75,
        minimum=0, above=True, maximum=1,
    )  # fmt: skip


class Head(Directive):
    """The classifier head: `head reset` gives it new random weights.

    It is the last layer with weights; `head reset part=classifier` names another layer, or a scope
    with all layers in it. If the classes differ from the source's, the head has to be reset.
    """

    section = "transfer"
    may_be_off = True
    word = "head"
    example = "head reset lr=10x"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "head": "classifier num_classes replace_head reset_classifier new_head"
    }

    reset: bool = flag("start from random weights instead of the source's")
    lr: float = factor("factor of the optimizer's learning rate", 1.0, keyword_only=True)
    part: str | None = layer_name(
        "the layer or scope that is the head; by default the last layer with weights", None,
        keyword_only=True,
    )  # fmt: skip

    def problems(self, context: Context) -> Iterator[Problem]:
        if self.part is not None:
            yield from unknown_parts((self.part,), self, context)
        elif not self.reset and self.lr == 1 and self.span is not None:
            yield Problem(
                "missing-argument",
                "this does not change the head",
                self.span,
                help="write `head reset` for new random weights",
                edits=(Edit(self.span, "head reset"),),
            )


def head_of(context: Context) -> list[Node]:
    """The layers of the head: those that are named, else the last layer with weights."""
    if context.layers is None:
        return []
    head = context.find(Head)
    if head is not None and head.part is not None:
        return context.layers.nodes(head.part)
    return [context.layers.last] if context.layers.last else []


class Features(Directive):
    """The source up to a layer, frozen or `trained`; what follows it is new.

    So a classifier's weights go under a decoder: `features layer4 trained lr=0.1x`.
    """

    section = "transfer"
    may_be_off = True
    word = "features"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "features": "feature_extractor include_top cut create_body"
    }

    name: str = layer_name("the last layer or scope that is kept", example="layer3")
    trained: bool = flag("train what is kept, too, instead of freezing it")
    lr: float = factor(
        "factor of the learning rate for the layers that are kept and trained", 1.0,
        keyword_only=True,
    )  # fmt: skip

    def kept(self, context: Context) -> list[Node]:
        """The layers that are kept from the source."""
        return context.layers.up_to(self.name) if context.layers else []

    def needs_one_input(self) -> str:
        return "features are kept of a part that sees a single input"

    def problems(self, context: Context) -> Iterator[Problem]:
        yield from unknown_parts((self.name,), self, context)
        network = context.network
        if network is not None and self.span is not None:
            taken = learning(self.kept(context))
            if len(taken) == len(learning(network.nodes)):
                yield Problem(
                    "conflict",
                    f"no layer with weights comes after `{self.name}`: nothing would be trained",
                    self.span,
                    help="name a layer before the head",
                )
        if self.trained:
            return
        for other in context.all(Freeze):
            yield conflict("`features` freezes the layers that it keeps", other, self)
        place = self.place("lr")
        if self.lr != 1 and place is not None and not context.all(Unfreeze):
            yield Problem(
                "conflict",
                "what is frozen is not trained: it has no learning rate",
                place,
                help="write `trained`, too, to train what is kept",
            )


class L2(Directive):
    """L2-SP: penalise the distance from the pretrained weights (Li et al., arXiv:1802.01483)."""

    section = "transfer"
    may_be_off = True
    word = "l2"
    elsewhere: ClassVar[Mapping[str, str]] = {"l2": "l2_sp l2sp L2SP"}

    strength: float = number("strength of the penalty", 0.01, minimum=0, above=True, maximum=100)


class Policy(Directive):
    """Choose what to freeze from the amount of data and its similarity to the source's."""

    section = "transfer"
    may_be_off = True
    word = "policy"
    usage = "policy auto similar=yes/no"
    elsewhere: ClassVar[Mapping[str, str]] = {"policy": "strategy fine_tune finetune"}

    mode: str = choice("the only policy", ("auto",), "auto")
    similar: bool = switch(
        "whether the images are similar to those that the weights were trained on",
        example="similar=yes",
    )

    def __str__(self) -> str:
        return f"policy auto similar={'yes' if self.similar else 'no'}"

    def problems(self, context: Context) -> Iterator[Problem]:
        kinds: tuple[type[Directive], ...] = (Freeze, Unfreeze, Features, Rates, Decay)
        for kind in kinds:
            for other in context.all(kind):
                message = f"`policy auto` and `{other.head()}` both decide how layers are trained"
                yield conflict(message, other, self)


class Cache(Directive):
    """Compute the output of frozen layers once and cache it on disk: `cache features`."""

    section = "transfer"
    may_be_off = True
    word = "cache"
    elsewhere: ClassVar[Mapping[str, str]] = {"cache features": "cache_features precompute"}

    what: str = choice("what is cached", ("features",), "features")
    passes: int | None = whole(
        "number of augmented versions of each image", None, maximum=10_000, keyword_only=True
    )
    folder: str | None = file_name("folder of the cache; by default beside the runs", None,
                                   keyword_only=True)  # fmt: skip

    def problems(self, context: Context) -> Iterator[Problem]:
        if self.origin is None:
            return
        if not _freezes(context):
            yield Problem(
                "conflict",
                "nothing is frozen, so there are no features to cache",
                self.origin.span,
                help="write `freeze all`, or `freeze until …`, too",
            )
        for other in context.all(Unfreeze):
            yield conflict(
                "features are computed once, but `unfreeze` changes them later", self, other
            )
        yield from self._prefix(context)
        augmented = context.all(Augmentation)
        mixing = [change for change in augmented if isinstance(change, Mixing)]
        for change in mixing:
            yield conflict(
                f"`{change.word}` mixes images in each step, but features are computed once",
                self, change, help=f"take `{change.word}` out, or this",
            )  # fmt: skip
        growing = [change for change in augmented if change.by_epoch]
        for resize in growing:
            yield conflict(
                "the size of images depends on the epoch, but features are computed once",
                self, resize, help=f"take `{resize.word}` out, or this",
            )  # fmt: skip
        changing = [*augmented, *context.all(Degradation)]
        if changing and not mixing and not growing and self.passes is None:
            place = changing[0].span
            yield Problem(
                "conflict",
                "images are changed anew in each epoch, but features are computed once",
                self.origin.span,
                labels=(Label(place, "changes them"),) if place else (),
                help="give a number of versions of each image: `cache features passes=4`",
            )

    def _prefix(self, context: Context) -> Iterator[Problem]:
        """Checks that the first layers are frozen: only their outputs can be cached."""
        for freeze in context.all(Freeze):
            if context.network is None or any(True for _ in freeze.problems(context)):
                continue
            first = learning(context.network.nodes)[:1]
            frozen = {node.index for node in freeze.frozen(context)}
            if first and first[0].index not in frozen:
                yield conflict(
                    f"`{first[0].name}` is trained, so everything after it changes",
                    self, freeze, help="freeze from the input on: `freeze until …`", drop=False,
                )  # fmt: skip
