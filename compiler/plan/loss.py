"""The loss function, and weights of classes: `loss bce smoothing=0.1`, `weights balanced`.

A network of several outputs has a loss for each: `loss age mae weight=0.1`; their weighted sum is
minimized.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ...dsl.diagnostics import Edit, Label
from ...dsl.source import Span
from ..diagnose.blame import first_line
from ..extend.torch_class import Tensor
from ..language.evaluate import Evaluated
from ..language.foreign import folded
from ..language.kinds import custom, number, real_number, share
from ..language.problems import Problem, did_you_mean
from ..language.signature import ArgumentError, Signature
from ..language.values import Text, Word, name_or_text, show, spelled
from ..network import Node, Output
from ..shapes import text
from .directive import REGISTRY, Context, Directive, conflict

_VALUE = re.compile(r"[ \t]+(?P<value>[0-9][0-9.e%-]*)")


def _output_name(value: object) -> str:
    if not isinstance(value, (Text, Word)) or not str(value).strip():
        raise ArgumentError(f"{show(value)} is not the name of an output")
    return str(value)


def _output() -> Any:
    return custom(
        "of a network with several outputs, the one that it is for", _output_name,
        "the name of an output", None, keyword_only=True, takes_words=True, write=name_or_text,
    )  # fmt: skip


def _weight() -> Any:
    return number(
        "its weight among the losses of several outputs; 0 leaves one out", 1.0, minimum=0,
        keyword_only=True, elsewhere="loss_weights loss_weight",
    )  # fmt: skip


class Loss(Directive):
    """The function that training minimizes."""

    section = "train"
    elsewhere: ClassVar[Mapping[str, str]] = {"loss": "criterion loss_func loss_fn objective"}
    advice: ClassVar[Mapping[str, str]] = {
        "give it to the loss: `loss cross_entropy smoothing=0.1`": "label_smoothing smoothing",
    }

    tasks: ClassVar[tuple[str, ...]] = ()
    """What labels may ask for: the words of `training/tasks/`."""
    several_labels: ClassVar[bool] = False
    """Whether an image may have several classes, each decided independently."""
    weighted: ClassVar[bool] = True
    """Whether classes can have weights in it."""
    compares: ClassVar[str] = "masks"
    """What a loss of pixels compares."""

    output: str | None = _output()
    weight: float = _weight()

    def function(self, weights: Tensor | None) -> Callable[[Tensor, Tensor], Tensor]:
        """For a loss of a plug-in: the function of outputs and labels, whose mean over images
        training minimizes; `weights` are those of the classes, if the spec has some. It imports
        torch, and what depends on it, itself. (Those of the language: training/optim.)"""
        raise NotImplementedError

    @property
    def own(self) -> bool:
        """Whether it is one of a plug-in."""
        return type(self).function is not Loss.function

    @property
    def key(self) -> str:
        """A network with several outputs has a loss for each."""
        return f"loss {self.output}" if self.output else "loss"

    def __str__(self) -> str:
        """`loss age mae weight=0.1`: the output comes before the kind, as it is best written."""
        without = self.replace(output=None, weight=1.0) if self.output is None else self
        text = Directive.__str__(without)
        if self.output is None:
            return text.replace(" weight=1", "")
        name = name_or_text(self.output)
        return text.replace(self.word, f"{self.head()} {name} {self.kind}", 1).replace(
            f" output={name}", ""
        )

    @classmethod
    def signature(cls) -> Signature:
        """As it is best written, with the output before the kind."""
        whole = super().signature()
        shown = {name: field for name, field in whole.fields.items() if name != "output"}
        rest = str(Signature(cls.word, shown)).removeprefix(cls.word)
        usage = f"{cls.head()} [output] {cls.word.partition(' ')[2]}{rest}"
        return Signature(cls.word, whole.fields, whole.doc, usage)

    @classmethod
    def arranged(cls, arguments: Sequence[Evaluated]) -> Sequence[Evaluated]:
        """The name of an output before the kind is the argument `output`."""
        flags = {name for name, field in cls.fields.items() if field.is_flag}
        for place, (node, value) in enumerate(arguments):
            if node.name is None and isinstance(value, Word) and value not in flags:
                named = Evaluated(node.named("output"), value)
                return [*arguments[:place], named, *arguments[place + 1 :]]
        return arguments

    @classmethod
    def usual(cls, context: Context) -> Loss:
        if ends_in_map(context) and any(
            directive.head() == "degrade" for directive in context.given.get("train", ())
        ):
            return REGISTRY["train"]["loss mae"].make()  # type: ignore[return-value]
        return _usual_for(context.network.output if context.network else None)

    @classmethod
    def filled(cls, context: Context) -> tuple[Loss, ...]:
        """The loss of each output."""
        network = context.network
        if network is None or len(network.outputs) < 2:
            return (context.get(Loss),)
        written = {loss.output: loss for loss in context.all(Loss)}
        return tuple(
            written.get(output.name) or _usual_for(output.node).replace(output=output.name)
            for output in network.outputs
        )

    def problems(self, context: Context) -> Iterator[Problem]:
        """Checks the loss against the layer that its output ends in, which implies whether classes
        are exclusive."""
        if context.network is None or self.origin is None:
            return
        output = self._output(context.network.outputs)
        if isinstance(output, Problem):
            yield output
            return
        last = output.node
        misfit = self._misfit(last)
        if misfit is not None:
            yield misfit
            return
        end = ends_in(last)
        if not end or self.several_labels == (end == "each"):
            return
        if end == "each" and IMAGES in self.tasks and is_map(last):
            return  # a sigmoid keeps the levels of an image between black and white
        meaning = "each class independently" if end == "each" else "one class out of several"
        instead = self._for_output("bce" if end == "each" else "cross_entropy")
        yield Problem(
            "conflict",
            f"the network's last layer predicts {meaning}; this loss does not",
            self.origin.span,
            labels=(Label(first_line(last.span), f"`{last.op.word}` is the last"),),
            help=f"write `{instead}`, or take the last layer out: the loss has it built in",
            edits=(Edit(self.origin.span, instead),),
        )

    def _for_output(self, kind: str) -> str:
        """A loss of another kind for the same output."""
        return f"loss {name_or_text(self.output)} {kind}" if self.output else f"loss {kind}"

    def _output(self, outputs: Sequence[Output]) -> Output | Problem:
        """The output that it is for, or what is wrong with its name."""
        assert self.origin is not None
        span, names = self.origin.span, [output.name for output in outputs if output.name]
        if self.output is None and len(outputs) > 1:
            listed = ", ".join(f"`{name}`" for name in names)
            written = f"loss {name_or_text(names[0])} {self.kind}"
            return Problem(
                "several-outputs",
                f"the network has {len(outputs)} outputs, and this loss does not say for which it"
                " is",
                span,
                labels=tuple(
                    Label(first_line(each.item.span), f"output `{each.name}`") for each in outputs
                ),
                help=f"write `{written}`, and one for each: {listed}",
            )
        if self.output is None or (self.output in names):
            return next(each for each in outputs if self.output in (None, each.name))
        place = self.place("output")
        assert place is not None
        value = _VALUE.match(place.source.text, place.end)
        if self.output in self.fields and value:
            gap = Span(place.source, place.end, value.start("value"))
            return Problem(
                "missing-equals",
                f"`{self.output}` takes a value",
                place,
                help=f"write `{self.output}={value['value']}`, without spaces",
                edits=(Edit(gap, "="),),
            )
        if not names or len(outputs) == 1:
            return Problem(
                "unknown-name",
                f"the network has one output, and it is not called `{self.output}`",
                place,
                help=f"write `loss {self.kind}`",
                edits=(Edit(Span(place.source, place.start, place.end + 1), ""),)
                if place.source.text[place.end : place.end + 1] == " "
                else (),
            )
        help, edits = did_you_mean(self.output, names, place)
        listed = f"its outputs are {', '.join(f'`{name}`' for name in names)}"
        return Problem(
            "unknown-name", f"the network has no output `{self.output}`", place,
            help=help or listed, edits=edits, otherwise=listed,
        )  # fmt: skip

    def _misfit(self, last: Node) -> Problem | None:
        """The error if the loss compares masks or images and the network does not answer for each
        pixel, or the reverse."""
        assert self.origin is not None
        on_map = is_map(last)
        if any((task in _OF_PIXELS) == on_map for task in self.tasks):
            return None
        wanted = "answers for whole images" if on_map else self.compares
        instead = self._for_output("cross_entropy dice=1" if on_map else "cross_entropy")
        answers = ", or `loss l1` if it answers with an image" if on_map else ""
        return Problem(
            "conflict",
            f"`{self.word}` is for {wanted}, and the network ends in {text(last.shape)}",
            self.origin.span,
            labels=(Label(first_line(last.span), f"it ends in {text(last.shape)}"),),
            help=f"write `{instead}`{answers}",
            edits=(Edit(self.origin.span, instead),),
        )


IMAGES = "image_to_image"
"""The task of networks that answer with an image."""
_OF_PIXELS = ("segmentation", IMAGES)


def learns_images(context: Context) -> bool:
    """Whether the network learns to answer with an image, and with nothing else: it ends in a map,
    and the loss compares images, or `degrade` says what is to be restored."""
    alone = context.network is not None and len(context.network.outputs) == 1
    return alone and ends_in_map(context) and IMAGES in context.get(Loss).tasks


def ends_in_map(context: Context) -> bool:
    """Whether the network, or one of its outputs, answers for each pixel."""
    network = context.network
    return network is not None and any(is_map(output.node) for output in network.outputs)


def maps_of(context: Context) -> frozenset[str | None]:
    """The outputs that answer for each pixel, by their names; None is that of a network with one,
    whose loss names none."""
    outputs = context.network.outputs if context.network is not None else ()
    maps = {output.name for output in outputs if is_map(output.node)}
    return frozenset({*maps, None} if maps and len(outputs) == 1 else maps)


def is_map(last: Node) -> bool:
    """Whether an output has an answer for each pixel."""
    return len(last.shape) > 1


def ends_in(last: Node) -> str:
    """`each` if an output ends in independent probabilities, `one` if they add up to 1."""
    if not last.op.probabilities:
        return ""
    return "each" if last.op.independent else "one"


def _usual_for(last: Node | None) -> Loss:
    """The loss of an output, unless the spec names one."""
    if last is not None and is_map(last):
        return CrossEntropy(dice=1.0)
    return Bce() if last is not None and ends_in(last) == "each" else CrossEntropy()


def _smoothing() -> float:
    return number(  # type: ignore[no-any-return]
        "label smoothing: share of the target that is spread over all classes", 0.0,
        minimum=0, maximum=1, below=True, elsewhere="label_smoothing",
    )  # fmt: skip


def _dice() -> Any:
    return number(
        "for masks: how much of the Dice loss is added, which counts a small object like a large"
        " one", None, minimum=0, above=True, maximum=1000, keyword_only=True,
    )  # fmt: skip


class CrossEntropy(Loss):
    """Softmax cross-entropy, for one class per image or pixel."""

    word = "loss cross_entropy"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "loss cross_entropy": "crossentropyloss categorical_crossentropy nll nllloss crossentropy"
        " sparse_categorical_crossentropy softmax ce crossentropylossflat",
        "loss cross_entropy smoothing=0.1": "labelsmoothingcrossentropy"
        " labelsmoothingcrossentropyflat",
    }
    tasks = ("classification", "segmentation")

    smoothing: float = _smoothing()
    dice: float | None = _dice()


class Bce(Loss):
    """Binary cross-entropy for each class, for any number of classes per image."""

    word = "loss bce"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "loss bce": "bceloss bcewithlogitsloss binary_crossentropy binary_cross_entropy multilabel"
        " binarycrossentropy bcewithlogitslossflat",
    }
    tasks = ("classification", "multi_label")
    several_labels = True

    smoothing: float = _smoothing()


class Asymmetric(Loss):
    """Focal binary cross-entropy that gives the many absent classes less weight than the few
    present ones (Ridnik et al., arXiv:2009.14119).
    """

    word = "loss asymmetric"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "loss asymmetric": "asymmetricloss asymmetriclossmultilabel asl asymmetric_loss"
    }
    tasks = ("multi_label",)
    several_labels = True

    absent: float = number("focusing parameter of absent classes", 4.0, minimum=0, maximum=100)
    present: float = number("focusing parameter of present classes", 1.0, minimum=0, maximum=100)
    shift: float = share(
        "subtracted from the probabilities of absent classes, so that easy ones do not count",
        0.05, elsewhere="clip",
    )  # fmt: skip


class Focal(Loss):
    """Focal loss: cross-entropy with less weight on easy images (Lin et al., arXiv:1708.02002)."""

    word = "loss focal"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "loss focal": "focalloss sigmoid_focal_loss focallossflat"
    }
    tasks = ("classification", "segmentation")

    gamma: float = number(
        "focusing parameter: the larger it is, the less weight easy images have",
        2.0,
        minimum=0,
        maximum=100,
    )
    dice: float | None = _dice()


# ---- for masks -------------------------------------------------------------------------------


class Dice(Loss):
    """One minus the Dice coefficient of the classes that an image has: the overlap of what is
    predicted with what is there (Milletari et al., arXiv:1606.04797).
    """

    word = "loss dice"
    elsewhere: ClassVar[Mapping[str, str]] = {"loss dice": "diceloss dice_loss f1loss softdice"}
    tasks = ("segmentation",)
    weighted = False


class Tversky(Loss):
    """Dice loss with weights of its own for pixels that are wrongly found, and for those that are
    missed (Salehi et al., arXiv:1706.05721).
    """

    word = "loss tversky"
    elsewhere: ClassVar[Mapping[str, str]] = {"loss tversky": "tverskyloss tversky_loss"}
    tasks = ("segmentation",)
    weighted = False

    found: float = number("weight of pixels that are wrongly found", 0.3, minimum=0, maximum=1)
    missed: float = number("weight of pixels that are missed", 0.7, minimum=0, maximum=1)


class Lovasz(Loss):
    """A convex surrogate of the mean IoU (Berman et al., arXiv:1705.08790)."""

    word = "loss lovasz"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "loss lovasz": "lovaszloss lovasz_softmax jaccardloss iou_loss iouloss"
    }
    tasks = ("segmentation",)
    weighted = False


# ---- class weights ---------------------------------------------------------------------------


_PRETRAINED = frozenset({"imagenet", "imagenet1k", "imagenet1kv1", "default", "pretrained", "coco"})


def _weights(value: object) -> Any:
    if isinstance(value, Word) and value in ("balanced", "equal"):
        return str(value)
    if isinstance(value, Word) and value == "none":
        raise ArgumentError(f"{show(value)} is not one of them", instead="equal")
    if isinstance(value, (Word, Text)) and folded(value) in _PRETRAINED:
        raise ArgumentError(
            f"{show(value)} is not one of them",
            "`weights` are those of classes; pretrained weights are named in `transfer { from … }`",
        )
    if not isinstance(value, (list, tuple)) or not value:
        raise ArgumentError(f"{show(value)} is not one of them")
    weights = tuple(map(real_number, value))
    if min(weights) < 0 or not any(weights):
        raise ArgumentError("weights are at least 0, and at least one is above 0")
    return weights


def _write_weights(value: Any) -> str:
    return value if isinstance(value, str) else f"[{', '.join(map(spelled, value))}]"


class Weights(Directive):
    """Weights of classes in the loss: `balanced` gives rare classes as much weight as frequent
    ones.
    """

    section = "train"
    word = "weights"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "weights": "class_weight class_weights",
        "weights balanced": "weighted_sampler weightedrandomsampler balanced oversample",
    }

    classes: Any = custom(
        "`balanced`, `equal`, or a number for each class",
        _weights,
        "`balanced`, `equal`, or a list of numbers",
        takes_words=True,
        words=("balanced", "equal"),
        write=_write_weights,
    )

    @classmethod
    def usual(cls, context: Context) -> Weights:
        return cls(classes="equal")

    def problems(self, context: Context) -> Iterator[Problem]:
        loss = context.find(Loss)
        if self.origin is None or loss is None or loss.weighted or self.classes == "equal":
            return
        message = f"`{loss.word}` counts every class of an image the same, without weights"
        yield conflict(
            message, self, loss, help="take `weights` out, or write `loss cross_entropy`"
        )
