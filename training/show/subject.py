"""Opens the network that `cnn show` looks at: a run, or a spec with or without weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from ...compiler.build.elaborate import elaborate
from ...compiler.language.overrides import SectionOverride, divide
from ...compiler.load_spec import load
from ...compiler.network import Network, Node
from ...compiler.plan.data import NoData
from ...compiler.plan.evaluate import CentreCrop, Normalize, Resize, usual_side_for
from ...compiler.plan.make import plan
from ...compiler.plan.plan import TrainPlan
from ...compiler.shapes import Shape, text
from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.printable import show as printable
from ...dsl.source import Source
from ..checkpoint.checkpoint import about_weights
from ..data.images.preprocessing import Preparation
from ..data.sources.count_classes import classes_for
from ..export.trained import open_trained
from ..inference.layer_outputs import LayerOutputs
from ..inference.trained_model import (
    TrainedModel,
    classes_in,
    open_run,
    preparation_in,
    task_in,
)
from ..request import base_of
from ..tasks.multi_label import MultiLabel
from ..tasks.multi_task import MultiTask
from ..tasks.regression import Regression
from ..tasks.task import Task

Learned = Literal["learned", "fixed", "random"]
"""What the weights of a network are: loaded, none to learn (filters), or initial ones."""

_NAMED = 4

SEED = 0
"""The seed of initial weights: the same network is shown each time."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A network, its weights, and how images are made its input."""

    name: str
    """As the user wrote it: a spec or a run; of an ensemble, with which network of it."""
    network: Network
    module: nn.Module
    """In evaluation mode, on `device`."""
    device: torch.device
    learned: Learned
    image_preparation: Preparation | None
    """The preprocessing of its input (of several, of the first), or of the series or scans that a
    run records; None if nothing is known of what is not an image."""
    preparation_from: str
    """Where the preprocessing comes from, in words for the user."""
    classes: tuple[str, ...] | None
    plan: TrainPlan
    base: Path
    """The folder that paths of data are relative to."""
    task: Task | None = None
    """What it answers; None if the weights do not record it."""
    output: str = ""
    """Of a network with several outputs, the one that is looked at; "" if none was chosen."""

    @cached_property
    def layers(self) -> LayerOutputs:
        return LayerOutputs(self.network, self.module)

    @property
    def multi_label(self) -> bool:
        return self.task is not None and self.task.word == MultiLabel.word

    @property
    def regression(self) -> Regression | None:
        """The numbers that it predicts; None if it predicts something else."""
        return self.task if isinstance(self.task, Regression) else None

    def must_not_predict_numbers(self, what: str) -> None:
        """Raises SpecError for what is made for networks that have classes."""
        if self.regression is not None:
            names = ", ".join(map(printable, self.regression.classes[:_NAMED]))
            message = f"{what} is about classes, and {self.name} predicts numbers ({names})"
            help = f"`cnn evaluate {self.name} --report page.html` shows where numbers are wrong"
            raise SpecError([Diagnostic("no-classes", message, help=help)])

    @property
    def sample_preparation(self) -> Preparation | None:
        """How series or scans become its input, if a run records it."""
        known = self.image_preparation
        return None if known is None or known.of_images else known

    @property
    def preparation(self) -> Preparation:
        """How images become its input; raises SpecError for a network of something else."""
        if self.image_preparation is None:
            shape = self.network.input.shape
            message = f"the input of {self.network.name} is {text(shape)}, which is not an image"
            raise SpecError([Diagnostic("not-an-image", message)])
        return self.image_preparation

    def of_output(self, name: str) -> Subject:
        """The same network as if this output were its only one."""
        task, classes = self.task, self.classes
        if isinstance(task, MultiTask):
            (one,) = [each for each in task.each if each.name == name]
            task, classes = one.task, one.answer.classes
        network = self.network.with_output(name)
        return replace(self, network=network, task=task, classes=classes, output=name)

    def must_have_one_input(self, what: str, help: str = "") -> None:
        """Raises SpecError for what is made for networks of a single input."""
        if len(self.network.inputs) > 1:
            names = ", ".join(node.name for node in self.network.inputs)
            message = f"{what} works on one image, and {self.network.name} has several inputs"
            notes = (f"these are {names}",)
            raise SpecError([Diagnostic("several-inputs", message, notes=notes, help=help)])

    def must_see_one_image(self, what: str, help: str = "", *, or_series: bool = False) -> None:
        """Raises SpecError for what is made for networks of a single image, or series."""
        self.must_have_one_input(what, help)
        if or_series and len(self.network.input.shape) == 2:
            return
        if self.image_preparation is None or not self.image_preparation.of_images:
            shape = text(self.network.input.shape)
            kinds = "images and series" if or_series else "images"
            message = f"{what} works on {kinds}, and the input of {self.network.name} is {shape}"
            raise SpecError([Diagnostic("not-an-image", message, help=help)])

    def preparation_for(self, node: Node) -> tuple[Preparation, str]:
        """The preprocessing of one of its inputs (for a volume, of its slices), and its source in
        words, for the user."""
        known = self.image_preparation
        if known is not None and node.name in known.each:
            return known.each[node.name], self.preparation_from
        if node is self.network.input and known is not None:
            return known, self.preparation_from
        return _preparation((node.shape[0], *node.shape[-2:]), self.plan, self.learned)

    @property
    def has_data(self) -> bool:
        """Whether the spec, or `--data`, names images."""
        return not isinstance(self.plan.train.data, NoData)

    def class_name(self, index: int) -> str:
        """A name that is safe to print: those of a file of weights may be anything."""
        if self.classes is not None and index < len(self.classes):
            return printable(self.classes[index])
        return f"class {index}"

    def must_be_finite(self, values: Tensor, where: str) -> None:
        """Raises SpecError for NaN or infinity, by which nothing can be compared."""
        if not bool(values.isfinite().all()):
            message = f"{where} is not finite: NaN or infinity"
            help = f"`cnn show {self.name} IMAGE` says from which layer on"
            raise SpecError([Diagnostic("not-finite", message, help=help)])

    def must_have_learned(self, what: str) -> None:
        """Raises SpecError if the weights are random: what is asked for would show nothing."""
        if self.learned == "random":
            message = f"{what} needs a trained network, and {self.name} has no weights"
            help = "name a run that `cnn train` wrote, or add `--weights FILE` (.safetensors, .pt)"
            raise SpecError([Diagnostic("no-weights", message, help=help)])


def subject_of_run(
    folder: Path,
    version: str,
    *,
    device: torch.device,
    data: str | None = None,
    set: Sequence[tuple[str, object]] = (),
) -> Subject:
    """A run with its best weights; of an ensemble, the first network. Raises SpecError."""
    model = open_run(folder, version, device=device, data=data, set=set)
    preparation, origin = _preparation_of_run(model)
    count = len(model.modules)
    return Subject(
        model.name if count == 1 else f"{model.name}, network 1 of {count}",
        model.request.network,
        model.modules[0],
        device,
        "learned",
        preparation,
        origin,
        model.classes,
        model.plan,
        model.request.base,
        model.task,
    )


def _preparation_of_run(model: TrainedModel) -> tuple[Preparation | None, str]:
    if model.preparation is not None:
        return model.preparation, f"as {model.name} records it"
    return _preparation_of_input(model.request.network, model.plan, "learned")


def subject_of_spec(
    source: Source,
    version: str,
    *,
    device: torch.device,
    weights: Path | None = None,
    data: str | None = None,
    set: Sequence[tuple[str, object]] = (),
    network: str | None = None,
    input: Shape | None = None,
    max_layers: int | None = None,
) -> Subject:
    """A spec, with a file of weights or with its initial weights. Raises SpecError."""
    about = about_weights(weights) if weights is not None else {}
    classes = classes_in(about)
    parameters, overrides = divide(set)
    if data is not None:
        overrides.append(_data_given(data))
    limits = {} if max_layers is None else {"max_layers": max_layers}
    program, base = load(source), base_of(source, Path.cwd())
    counted = len(classes) if classes else None
    if counted is None:  # `fc classes`, if the spec or `--data` names images
        counted = classes_for(
            program, base, overrides,
            network=network, parameters=parameters, input_shape=input,
        )  # fmt: skip
    built = elaborate(
        program,
        network=network,
        overrides=parameters,
        input_shape=input,
        classes=counted,
        **limits,
    )
    planned = plan(built, overrides, needs_data=False)
    torch.manual_seed(SEED)
    module = open_trained(built, version, weights, heads=False).module.to(device)
    learned = _learned(built, weights)
    preparation = preparation_in(about, str(weights))
    if preparation is None:
        preparation, origin = _preparation_of_input(built, planned, learned)
    else:
        origin = f"as {weights} records it"
    return Subject(
        source.name,
        built,
        module,
        device,
        learned,
        preparation,
        origin,
        classes,
        planned,
        base,
        task_in(about),
    )


def _data_given(data: str) -> SectionOverride:
    from ..data.sources.given import given

    return given(data, Path.cwd())


def _learned(network: Network, weights: Path | None) -> Learned:
    if weights is not None:
        return "learned"
    trainable = any(
        weight.trainable for node in network.nodes if not node.aux for weight in node.weights
    )
    return "random" if trainable else "fixed"


# ---- preprocessing ---------------------------------------------------------------------------


def _preparation_of_input(
    network: Network, plan: TrainPlan, learned: Learned
) -> tuple[Preparation | None, str]:
    shape = network.input.shape
    return _preparation(shape, plan, learned) if len(shape) == 3 else (None, "")


def _preparation(shape: Shape, plan: TrainPlan, learned: Learned) -> tuple[Preparation, str]:
    """The preprocessing that a spec says for an image of this shape, or a usual one if it says
    none."""
    plan = replace(plan, inputs=())  # one of several is prepared like an only one
    resize = plan.evaluate.resize
    if shape != plan.input or (learned != "learned" and not (resize and resize.written)):
        # A photograph keeps its proportions, also before a network that ends in a map.
        size = shape[1], shape[2]
        resize, crop = Resize.make(side=usual_side_for(size)), CentreCrop.make(side=size)
        evaluate = replace(plan.evaluate, resize=resize, crop=crop)
        plan = replace(plan, input=shape, evaluate=evaluate)
    written = plan.evaluate.normalize
    mean = written.pixels.mean
    if written.written and mean is not None and len(mean) in (1, shape[0]):
        return Preparation.of(plan, (), ()), "as the spec's `evaluate` says"
    if learned == "fixed":
        # Filters are shown on the levels themselves, so that their numbers can be checked by hand.
        normalize = Normalize.make(preset="none", scale=1.0)
        origin = "pixels from 0 to 255, not normalized"
    else:
        half = {"preset": "none", "mean": (0.5,), "std": (0.5,)}
        normalize = Normalize.make(**({"preset": "imagenet"} if shape[0] == 3 else half))
        line = str(normalize) if shape[0] == 3 else "normalize mean=0.5 std=0.5"
        unknown = "the weights do not record it: " if learned == "learned" else ""
        others = "caffe, inception, none, …" if shape[0] == 3 else "none, mnist, …"
        origin = f"{unknown}`{line}` (others: --set evaluate.normalize={others})"
    evaluate = plan.evaluate.normalized_by(normalize)
    return Preparation.of(replace(plan, evaluate=evaluate), (), ()), origin
