"""A training request: a spec, its options, and the plan that follows from them. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..compiler.build.elaborate import elaborate
from ..compiler.diagnose.check import silenced
from ..compiler.extend.load_plugin import options_of_given
from ..compiler.language.overrides import OverrideError, SectionOverride, divide, read_override
from ..compiler.language.values import literal
from ..compiler.load_spec import load
from ..compiler.network import Network
from ..compiler.plan.apply_overrides import in_effect
from ..compiler.plan.make import plan_and_warnings
from ..compiler.plan.plan import TrainPlan
from ..compiler.shapes import Shape
from ..compiler.shapes import text as shape_text
from ..compiler.spec_options import Options
from ..dsl.diagnostics import Diagnostic, SpecError
from ..dsl.program import GALLERY, Program
from ..dsl.source import Source
from .data.sources.count_classes import classes_for

if TYPE_CHECKING:
    from .data.sources.arrays_given import ArrayData

ARRAYS = "arrays"
"""The word of the `data` line for arrays that a program passes."""


@dataclass(frozen=True, eq=False)
class Request:
    """A network and its training plan, with the spec and options that they come from."""

    program: Program
    network: Network
    plan: TrainPlan
    base: Path
    """The folder that paths of data are relative to."""
    options: Options
    warnings: tuple[Diagnostic, ...] = ()
    """Warnings about the plan."""
    arrays: ArrayData | None = None
    """The data, if a program passes it as arrays."""

    @property
    def source(self) -> Source:
        return self.program.main.source

    def command(self, changes: Mapping[str, object], devices: int = 1) -> list[str] | None:
        """The words of the `cnn train` that makes this request with other values of directives,
        like `train.batch`; None if a program has passed the spec or the data."""
        options = self.options
        if self.arrays is not None or self.source.path is None:
            return None
        words = ["cnn", "train", self.source.name]
        words += options_of_given() if self.plan.plugins else []
        words += ["--network", options.network] if options.network else []
        words += ["--input", shape_text(options.input)] if options.input else []
        for text in options.set:
            name = text.partition("=")[0]
            if not any(f"{name}.".startswith(f"{changed}.") for changed in changes):
                words += ["--set", text]
        for name, value in changes.items():
            words += ["--set", f"{name}={literal(value)}"]
        return [*words, *(["--devices", str(devices)] if devices > 1 else [])]


def request(
    source: Source,
    *,
    set: Sequence[tuple[str, object]] = (),
    data: str | ArrayData | None = None,
    network: str | None = None,
    input: Shape | None = None,
    classes: int | None = None,
    base: Path | None = None,
    here: Path | None = None,
    max_layers: int | None = None,
) -> Request:
    """Makes a request from a spec and options. Everything that does not need the data is checked;
    raises SpecError.

    `data` is the text of `--data`, with paths relative to `here`, or arrays. The number of classes
    is counted in the data unless `classes` is given.
    """
    here = here or Path.cwd()
    base = base or base_of(source, here)
    program = load(source)
    parameters, overrides = divide(set)
    arrays = None if data is None or isinstance(data, str) else data
    if data is not None:
        from .data.sources.given import given

        # First: `--set train.data.folds=5` is then about this data.
        overrides.insert(0, given(data if isinstance(data, str) else ARRAYS, here))
    if classes is None:
        classes = classes_for(
            program, base, overrides,
            network=network, parameters=parameters, input_shape=input, arrays=arrays,
        )  # fmt: skip
    limits = {} if max_layers is None else {"max_layers": max_layers}
    built = elaborate(
        program,
        network=network,
        overrides=parameters,
        input_shape=input,
        classes=classes,
        **limits,
    )
    plan, warnings = plan_and_warnings(built, overrides)
    warnings = [warning for warning in warnings if not silenced(warning, built)]
    texts = [f"{name}={literal(value)}" for name, value in parameters.items()]
    texts += [override_text(override) for override in in_effect(overrides)]
    options = Options(network, input, classes, tuple(texts))
    return Request(program, built, plan, base, options, tuple(warnings), arrays)


def request_from(
    source: Source,
    base: Path,
    options: Options,
    overrides: Sequence[tuple[str, object]] = (),
    data: str | ArrayData | None = None,
) -> Request:
    """The request of a run, made from the options in its folder and additional overrides. Other
    data replaces all that they say about data."""
    saved = [
        (name, value)
        for name, value in options.overrides(source.name)
        if data is None or not f"{name}.".startswith("train.data.")
    ]
    return request(
        source,
        set=[*saved, *overrides],
        data=data,
        network=options.network,
        input=options.input,
        classes=options.classes,
        base=base,
    )


def overrides_of(
    changes: Mapping[str, object], epochs: int | None = None
) -> list[tuple[str, object]]:
    """Converts a dict of values from Python to overrides: `{"train.optimizer": "adam lr=1e-3"}`."""
    if epochs is not None:
        changes = {**changes, "train.epochs": epochs}
    try:
        return [
            read_override(f"{name}={value if isinstance(value, str) else literal(value)}")
            for name, value in changes.items()
        ]
    except OverrideError as error:
        raise SpecError([Diagnostic("argument", str(error))]) from None


def base_of(source: Source, here: Path) -> Path:
    """The folder that paths in a spec are relative to: that of the spec. For a spec of the gallery
    or without a file it is the current folder, `here`."""
    if source.path is None or GALLERY in source.path.resolve().parents:
        return here
    return source.path.resolve().parent


# ---- back to text ----------------------------------------------------------------------------


def override_text(override: SectionOverride) -> str:
    """An override as text in the form of `--set`: `train.epochs=3`."""
    if override.call is None:
        return f"{override.section}=off"
    word = override.call.head.value
    rest = override.call.span.text[len(word) :].strip()
    name = f"{override.section}.{word}"
    if override.argument:
        argument, _, value = rest.partition("=")
        return f"{name}.{argument.strip()}={value.strip()}"
    return f"{name}={rest}"
