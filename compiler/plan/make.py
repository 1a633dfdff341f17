"""Makes the training plan: reads sections, checks directives, fills in defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from ...dsl.diagnostics import Diagnostic, Edit, Label, SpecError, has_errors, in_order
from ...dsl.program import Program
from ...dsl.syntax import Call, Let
from ..build.scoping import sections_of
from ..diagnose.blame import first_line
from ..diagnose.trial import tried_in
from ..extend.used_plugins import identities, words_of
from ..language.evaluate import POISON, Env, evaluate
from ..language.overrides import SectionOverride
from ..language.problems import Problem, Quiet
from ..language.vocabulary import SECTIONS
from ..network import Network, Node
from ..shapes import AXES, SHAPE_NAMES, axes_of, by, size, text
from .apply_overrides import apply
from .augment.augmentation import Augmentation
from .data import Data, NoData
from .directive import SERIES, Context, Directive
from .loss import Loss, is_map, learns_images
from .plan import Evaluate, MapOutput, NamedInput, Train, TrainPlan, Transfer, slots
from .read import Reader
from .search_space import Search
from .sweep_plan import SECTION as SWEEP
from .sweep_plan import SweepPlan, plan_of, searched
from .transfer import From

S = TypeVar("S")


def plan(
    network: Network, overrides: Sequence[SectionOverride] = (), *, needs_data: bool = True
) -> TrainPlan:
    """The plan of a spec; raises SpecError with all errors. Without `needs_data`, data may be
    missing.
    """
    return plan_and_warnings(network, overrides, needs_data=needs_data)[0]


def plan_and_warnings(
    network: Network, overrides: Sequence[SectionOverride] = (), *, needs_data: bool = True
) -> tuple[TrainPlan, list[Diagnostic]]:
    """The plan, with warnings about it."""
    examined = examine(network.program, network.sections, network, overrides)
    if needs_data and not has_errors(examined.diagnostics):
        missing = several_ends(network) or no_data(examined.context)
        if missing is not None:
            raise SpecError([missing])
    if has_errors(examined.diagnostics):
        diagnostics = tried_in(
            network.program,
            examined.diagnostics,
            lambda changed: examine(changed, sections_of(changed), network, overrides).diagnostics,
        )
        raise SpecError(d for d in diagnostics if d.severity == "error")
    return assemble(network, examined.context), examined.diagnostics


class Examined(NamedTuple):
    context: Context
    diagnostics: list[Diagnostic]
    searches: Sequence[Search] = ()
    """What the section `sweep` searches, where that is asked for."""


def examine(
    program: Program,
    sections: Mapping[str, Call],
    network: Network | None,
    overrides: Sequence[SectionOverride] = (),
    *,
    sweep: bool = False,
) -> Examined:
    """Reads and checks sections; returns directives and diagnostics. The section `sweep` is nothing
    to a single run, which may have values that it does not fit: it is read with `sweep` alone."""
    with words_of(program):
        reader = Reader(_env(program, network), _takes_series(sections, network, overrides))
        for section in SECTIONS:
            if section in sections and (sweep or section != SWEEP):
                reader.section(sections[section])
        given = reader.directives
        context = Context(network, given)
        diagnostics = reader.diagnostics
        diagnostics += apply(overrides, reader, context)
        seen = {(d.code, d.span) for d in diagnostics}
        for directive in [
            entry for entries in given.values() for entry in entries if not entry.off
        ]:
            problems = [problem.diagnostic for problem in _problems(directive, context)]
            problems += [] if problems else directive.warnings(context)
            for diagnostic in problems:
                if (diagnostic.code, diagnostic.span) not in seen:
                    seen.add((diagnostic.code, diagnostic.span))
                    diagnostics.append(diagnostic)
        diagnostics += _whole(sections, reader, context)
        searches: Sequence[Search] = ()
        if sweep and SWEEP in sections and network is not None:

            def errors(override: SectionOverride) -> list[Diagnostic]:
                """The errors that one more override makes."""
                changed = examine(program, sections, network, [*overrides, override]).diagnostics
                before = {(d.code, d.message) for d in diagnostics}
                wrong = [d for d in changed if d.severity == "error"]
                return [d for d in wrong if (d.code, d.message) not in before]

            searches, wrong = searched(sections[SWEEP], network, context, reader.env, errors)
            diagnostics = [*diagnostics, *wrong]
        return Examined(context, in_order(diagnostics), searches)


def sweep_plan(network: Network, overrides: Sequence[SectionOverride] = ()) -> SweepPlan:
    """The section `sweep` of a spec; raises SpecError with all errors."""
    examined = examine(network.program, network.sections, network, overrides, sweep=True)
    errors = [each for each in examined.diagnostics if each.severity == "error"]
    if errors:
        raise SpecError(errors)
    return plan_of(examined.searches, examined.context)


def _problems(directive: Directive, context: Context) -> Iterator[Problem]:
    """Errors of a directive, and that it is for networks of one input, if this has several."""
    why = directive.needs_one_input() if context.inputs and directive.span else ""
    if not why:
        yield from directive.problems(context)
        return
    assert directive.span is not None
    yield Problem(
        "several-inputs",
        f"`{directive.head()}` is for networks of one input: {why}",
        directive.span,
        labels=tuple(Label(first_line(each.span), "an input") for each in context.inputs),
        help="take it out",
        edits=(Edit(directive.span, ""),),
    )


def _takes_series(
    sections: Mapping[str, Call], network: Network | None, overrides: Sequence[SectionOverride]
) -> bool | None:
    """Whether samples are series or scans, so that sections are read with their words; None if that
    is unknown. Of a directive for series alone, the word is enough."""
    evaluate = sections.get("evaluate")
    body = evaluate.body if evaluate is not None else None
    calls = [one for one in getattr(body, "statements", ()) if isinstance(one, Call)]
    calls += [one.call for one in overrides if one.section == "evaluate" and one.call is not None]
    if any(call.head.value in SERIES["evaluate"] for call in calls):
        return True
    return None if network is None else axes_of(network.input.shape) in (1, 3)


def _env(program: Program, network: Network | None) -> Env:
    """The names visible in a section: those of the file, and the network's shape."""
    env = Env()
    shape = network.input.shape if network else ()
    measures = dict(zip(("channels", *AXES[max(axes_of(shape), 0)]), shape, strict=False))
    if network is not None:
        measures["classes"] = network.output.shape[0]

    def look_around(name: str) -> object:
        if network is None and name in {*SHAPE_NAMES, "classes"}:
            raise Quiet
        return measures[name]

    env.look_around = look_around
    for statement in program.main.statements:
        if isinstance(statement, Let):
            try:
                env.values[statement.name.value] = evaluate(statement.value, env)
            except (Problem, Quiet):  # reported when the network is built
                env.values[statement.name.value] = POISON
    return env


def _whole(sections: Mapping[str, Call], reader: Reader, context: Context) -> list[Diagnostic]:
    """Errors about the whole plan: missing directives, a network that cannot be trained."""
    diagnostics = []
    begun = context.given.get("transfer")
    failed = ("transfer", "from") in reader.failed
    if begun and not context.all(From) and not failed:
        call = sections.get("transfer")
        diagnostics.append(
            Diagnostic(
                "missing-directive",
                "`transfer` needs `from`: the source of its weights",
                call.head.span if call else begun[0].span,
                help='write `from "torchvision:ResNet50_Weights.IMAGENET1K_V2"` into it, or the'
                " folder of a run",
            )
        )
    network = context.network
    trains = "train" in sections or bool(context.given.get("train"))
    if network is not None and trains:
        several = several_ends(network)
        if several is not None:
            diagnostics.append(several)
        elif not _can_be_learned(network):
            diagnostics.append(_ends_in_a_map(network))
        elif learns_images(context) and context.inputs:
            diagnostics.append(_image_of_several(context))
        elif learns_images(context) and uneven(network):
            diagnostics.append(_answers_of_another_size(network))
    return diagnostics


def several_ends(network: Network) -> Diagnostic | None:
    """The error for a network that takes or returns what training does not handle: inputs of
    several sizes; maps of another size, or auxiliary heads, among several outputs.
    """
    by_hand = "train its module, `dotcnn.load(…)`, in a loop of your own"
    unlike = _unlike_inputs(network, by_hand)
    if unlike is not None:
        return unlike
    if len(network.outputs) < 2:
        return None
    pixels = network.input.shape[1:]
    for output in network.outputs:
        shape = output.node.shape
        if len(shape) == 1 or (len(pixels) == 2 and shape[1:] == pixels):
            continue
        if len(pixels) != 2:
            message = (
                f"the output `{output.name}` ends in {text(shape)}; of several outputs, only those"
                " of networks that take images answer for each pixel"
            )
            help = f"let it end in a vector, or {by_hand}"
        else:
            message = (
                f"the output `{output.name}` ends in {text(shape)}; one of several outputs answers"
                f" for the whole image, with a vector, or for each pixel of it, {by(pixels)}"
            )
            help = f"add `upsample to={by(pixels)}` at its end, or let it end in a vector"
        return Diagnostic("several-outputs", message, first_line(output.item.span), help=help)
    if network.aux:
        return Diagnostic(
            "several-outputs",
            f"{network.name} has {len(network.outputs)} outputs, and it is not said which of them"
            " its auxiliary head helps",
            first_line(network.aux[0].item.span),
            help="take `aux` out, or make it an output with a loss of its own",
        )
    return None


def _unlike_inputs(network: Network, by_hand: str) -> Diagnostic | None:
    """The error for several inputs that are not images, series or scans of one size."""
    first, *others = network.inputs
    if others and network.init.whitened:
        return Diagnostic(
            "several-inputs",
            f"`init whitening` is for networks of one input, and {network.name} has"
            f" {len(network.inputs)}",
            first_line(network.by_name[network.init.whitened].span),
            help="take `whitening` out",
        )
    for other in others:
        if other.shape[1:] != first.shape[1:] or len(first.shape) == 1:
            return Diagnostic(
                "several-inputs",
                f"the inputs of {network.name} are {text(first.shape)} and {text(other.shape)};"
                " `cnn train` needs several inputs to be images, series or scans of the same size",
                first_line(other.span),
                labels=(Label(first_line(first.span), "the first"),),
                help=f"give both the same size, with as many channels as they have; or {by_hand}",
            )
    return None


def _can_be_learned(network: Network) -> bool:
    """Whether it ends in numbers for the image, or in numbers for each of its pixels, steps or
    voxels."""
    shape = network.output.shape
    return len(shape) == 1 or size(shape[1:]) > 1


def _ends_in_a_map(network: Network) -> Diagnostic:
    return Diagnostic(
        "no-classes",
        f"the network ends in {text(network.output.shape)}, and training needs one number for each"
        " class",
        network.output.span,
        help="end it in `pool avg global, flatten, fc classes` to classify images",
    )


def uneven(network: Network) -> bool:
    """Whether images become smaller, or are not enlarged by a whole number, the same along both
    sides."""
    before, after = network.input.shape, network.output.shape
    if len(before) != 3:
        return True
    times = after[1] // before[1]
    return not times or after[1:] != (times * before[1], times * before[2])


def _image_of_several(context: Context) -> Diagnostic:
    first, other, *_ = context.inputs
    loss = context.get(Loss)
    return Diagnostic(
        "several-inputs",
        "networks that answer with an image are trained with one input: the image that it is made"
        " from",
        loss.span or first_line(other.span),
        labels=(Label(first_line(first.span), "the first input"),) if loss.span else (),
        help=f"concatenate the inputs in the data: `input {text(context.shape)}`",
    )


def _answers_of_another_size(network: Network) -> Diagnostic:
    before, after = network.input.shape, network.output.shape
    if len(before) != 3:
        message = f"the network takes {text(before)}, and answers with an image need an image"
        return Diagnostic("unfit-output", message, network.input.span)
    return Diagnostic(
        "unfit-output",
        f"an answer is as large as its image, or a whole number of times as large; images are"
        f" {by(before[1:])}, and answers {by(after[1:])}",
        network.output.span,
        labels=(Label(first_line(network.input.span), f"the input is {text(before)}"),),
        help="pad convolutions, `conv 64 3x3 same`, or add"
        f" `upsample to={by(before[1:])}` at the end",
    )


def no_data(context: Context) -> Diagnostic | None:
    """The error for a spec without data whose input does not suit the bundled digits."""
    if not isinstance(context.find(Data), NoData):
        return None
    network = context.network
    assert network is not None
    message = f"there is no data to train {network.name} on"
    help = 'write `train { data folder "images" }`, with a folder of images for each class'
    train = network.sections.get("train")
    span = train.head.span if train else network.root.span
    return Diagnostic("no-data", message, span, help=help)


# ---- defaults --------------------------------------------------------------------------------


def assemble(network: Network, context: Context) -> TrainPlan:
    """Assembles the plan from directives without errors."""
    augmentations = tuple(directive.settle(context) for directive in context.all(Augmentation))
    return TrainPlan(
        network.name,
        network.sample,
        network.output.shape,
        _filled(Train, context),
        augmentations,
        _filled(Evaluate, context),
        _filled(Transfer, context) if context.given.get("transfer") else None,
        first_line(network.input.span),
        network.output.op.word if network.output.op.probabilities else "",
        tuple(
            [NamedInput(node.name, node.shape[0], _like(network, node)) for node in context.inputs]
        ),
        tuple(_maps(network)),
        identities(network.program),
    )


def _maps(network: Network) -> Iterator[MapOutput]:
    """Those of several outputs that answer for each pixel."""
    for output in network.outputs if len(network.outputs) > 1 else ():
        last = output.node
        if is_map(last):
            yield MapOutput(output.name, last.shape, last.op.word if last.op.probabilities else "")


def _like(network: Network, input: Node) -> str:
    """The first input that the same weights see as this one; "" if there is none."""
    for reader in network.consumers[input.index]:
        while reader.shared is not None:
            reader = reader.shared
            for other in reader.inputs:
                if not other.inputs and other is not input:
                    return other.name
    return ""


def _filled(section: type[S], context: Context) -> S:
    values: dict[str, Any] = {}
    for slot in slots(section):
        if slot.several:
            values[slot.name] = slot.kind.filled(context)
            continue
        directive: Directive | None = context.find(slot.kind)
        values[slot.name] = directive.settle(context) if directive is not None else None
    return section(**values)
