"""Checks that the network has one output for each class of the data, and knows these classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...compiler.diagnose.blame import first_line
from ...compiler.network import Network
from ...compiler.plan.check import maker, wrong_classes
from ...compiler.plan.plan import TrainPlan
from ...compiler.shapes import by, text
from ...dsl.diagnostics import Diagnostic, Label, SpecError
from ..tasks.image_to_image import ImageToImage
from ..tasks.known_tasks import several_tasks, task_of
from ..tasks.multi_task import MultiTask
from ..tasks.regression import Regression
from ..tasks.segmentation import Segmentation
from ..tasks.task import Task
from .dataset import Dataset
from .diagnostic import counted, listed


def check_classes(network: Network, plan: TrainPlan, data: Dataset) -> Diagnostic | None:
    """The error if the network does not end in what the labels are: a number for each class, or,
    for masks, one for each class at each pixel. None if it does."""
    if data.answers:
        return next(filter(None, _of_each(network, plan, data)), None)
    shape, size = network.output.shape, network.input.shape[1:]
    if data.task == ImageToImage.word:
        return None  # the targets were read with the channels that the network has
    masks = data.task == Segmentation.word
    if masks != (len(shape) > 1):
        return _other_labels(network, plan, data, masks)
    if masks and shape[1:] != size:
        return Diagnostic(
            "classes",
            f"masks have a class for each pixel of the image, {by(size)}, and the network ends in"
            f" {text(shape)}",
            network.output.span,
            help=f"add `upsample to={by(size)}` at its end, or pad its convolutions",
        )
    count, noun = len(data.classes), "class"
    if data.task == Regression.word:
        loss = task_of(data.task, data.classes).loss_for(plan.train.loss)
        count, noun = task_of(data.task, data.classes).outputs_for(loss), "number"
    return wrong_classes(
        plan.train.data,
        network,
        count,
        data.name,
        data.classes,
        size=size if masks else (),
        noun=noun,
    )


def _of_each(network: Network, plan: TrainPlan, data: Dataset) -> Iterator[Diagnostic | None]:
    """The errors of outputs that do not fit their labels."""
    data_place = plan.train.data.place("path") or plan.train.data.span
    losses = {loss.output: loss for loss in plan.train.losses}
    for output, one in zip(
        network.outputs, several_tasks(data.answers, plan.train.losses).each, strict=True
    ):
        answer, task, loss, written = one.answer, one.task, one.known_loss, losses[one.name]
        place = written.span or output.item.span
        if task.word not in loss.tasks:
            instead = f"loss {one.name} {task.usual_loss.word.split()[1]}"
            yield Diagnostic(
                "loss",
                f"the labels of `{one.name}` are {task.labels}, which `{loss.word}` does not"
                " compare",
                place,
                help=f"write `{instead}`",
            )
            continue
        ends_in_map = len(output.node.shape) > 1
        if answer.is_map != ends_in_map:
            help = (
                "end it in `conv classes 1x1`, at the image's size" if answer.is_map
                else "end it in `pool avg global, flatten, fc classes`"
            )  # fmt: skip
            yield Diagnostic(
                "classes",
                f"the labels of `{one.name}` in {data.name} are {task.labels}, and the output ends"
                f" in {text(output.node.shape)}",
                first_line(maker(output.node).span),
                label=f"the output ends in {text(output.node.shape)}",
                labels=(Label(data_place, task.labels),) if data_place else (),
                help=help,
            )
            continue
        wanted, ends = task.outputs_for(loss), output.node.shape[0]
        if wanted == ends:
            continue
        noun = ("number", "numbers") if task.numbers else ("class", "classes")
        what = counted(len(answer.classes), *noun)
        takes = "" if wanted == len(answer.classes) else f", for which `{loss.word}` takes {wanted}"
        yield Diagnostic(
            "classes",
            f"`{one.name}` has {what} in {data.name}{takes}, and the output ends in {ends}",
            first_line(maker(output.node).span),
            label=f"the output ends in {ends}",
            labels=(Label(data_place, what),) if data_place else (),
            notes=(f"the {noun[1]} are {listed([f'`{name}`' for name in answer.classes], 12)}",),
            help=f"let it end in {wanted}",
        )


def _other_labels(network: Network, plan: TrainPlan, data: Dataset, masks: bool) -> Diagnostic:
    """The error if a network that classifies images gets masks, or the reverse."""
    place = plan.train.data.place("path") or plan.train.data.span
    if masks:
        labels, help = "a mask for each image", "end it in `conv classes 1x1`, at the image's size"
    else:
        labels = f"{task_of(data.task, data.classes).labels} for each image"
        help = "end it in `pool avg global, flatten, fc classes`; or name data with masks"
        if network.output.shape[0] in (1, 3):
            help += "; if it answers with an image, write `loss l1`"
    return Diagnostic(
        "classes",
        f"{data.name} has {labels}, and the network ends in {text(network.output.shape)}",
        network.output.span,
        labels=(Label(place, labels),) if place else (),
        help=help,
    )


def must_have_classes(
    network: Network, plan: TrainPlan, data: Dataset, known: tuple[str, ...] | None, name: str
) -> None:
    """Raises SpecError unless the data has the classes that the network was trained on (`known`;
    None if its weights do not record them), in the same order. `name` is the run or the weights."""
    wrong = check_classes(network, plan, data)
    if wrong is not None:
        raise SpecError([wrong])
    present = data.classes
    if known is None or known == present:
        return
    must_be_the_same(known, present, plan, name)


def must_have_answers(known: Task, plan: TrainPlan, data: Dataset, name: str) -> None:
    """The same for the classes of each of several outputs."""
    if isinstance(known, MultiTask):
        now = {answer.output: answer.classes for answer in data.answers}
        for one in known.each:
            present = now.get(one.name, ())
            if present != one.answer.classes:
                must_be_the_same(one.answer.classes, present, plan, f"`{one.name}` of {name}")


def must_be_the_same(
    known: Sequence[str], present: Sequence[str], plan: TrainPlan, name: str
) -> None:
    """Raises SpecError for data with other classes than a network was trained on."""
    missing = [each for each in known if each not in present]
    new = [each for each in present if each not in known]
    notes = []
    if missing:
        notes.append(f"not in the data: {listed(missing)}")
    if new:
        notes.append(f"unknown to the network: {listed(new)}")
    message = f"the classes of the data differ from those that {name} was trained on"
    help = "name data with the same classes" if notes else "put them into the same order"
    place = plan.train.data.place("path")
    raise SpecError([Diagnostic("other-classes", message, place, notes=tuple(notes), help=help)])
