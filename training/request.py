"""What is to be trained: a spec, and the options given with it. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..compiler.build.elaborate import elaborate
from ..compiler.diagnose.check import silenced
from ..compiler.language.overrides import OverrideError, SectionOverride, divide, read_override
from ..compiler.language.values import literal
from ..compiler.load_spec import load
from ..compiler.network import Network
from ..compiler.plan.make import plan_and_warnings
from ..compiler.plan.plan import TrainPlan
from ..compiler.shapes import Shape
from ..dsl.diagnostics import Diagnostic, SpecError
from ..dsl.program import GALLERY, Program
from ..dsl.source import Source
from .data.sources.count_classes import classes_for

if TYPE_CHECKING:
    from .data.sources.arrays_given import ArrayData

ARRAYS = "arrays"
"""What the `data` line says of arrays that a program passes."""


@dataclass(frozen=True)
class Options:
    """Options given with a spec: the same options give the same network and plan again."""

    network: str | None = None
    """The name of the network, in a file of several."""
    input: Shape | None = None
    classes: int | None = None
    """The number of classes."""
    set: tuple[str, ...] = ()
    """Parameters and directives, as the command line has them: `train.epochs=3`."""

    def to_json(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "input": list(self.input) if self.input else None,
            "classes": self.classes,
            "set": list(self.set),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Options:
        """Raises KeyError, TypeError or ValueError for anything else."""
        return Options(
            data["network"],
            tuple(map(int, data["input"])) if data["input"] else None,
            data["classes"],
            tuple(map(str, data["set"])),
        )


@dataclass(frozen=True, eq=False)
class Request:
    """A network, how it is trained, and the spec and options that both are from."""

    program: Program
    network: Network
    plan: TrainPlan
    base: Path
    """The folder that paths of data are relative to."""
    options: Options
    warnings: tuple[Diagnostic, ...] = ()
    """What is unwise about the plan."""
    arrays: ArrayData | None = None
    """The data, where a program passes it as arrays."""

    @property
    def source(self) -> Source:
        return self.program.main.source


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
    """Everything is checked that can be before the data is opened; raises SpecError.

    `data` is the text of `--data`, whose relative paths begin at `here`, or arrays. `classes` is
    counted in the data unless it is given.
    """
    here = here or Path.cwd()
    base = base or base_of(source, here)
    program = load(source)
    parameters, overrides = divide(set)
    arrays = None if data is None or isinstance(data, str) else data
    if data is not None:
        from .data.sources.given import given

        overrides.append(given(data if isinstance(data, str) else ARRAYS, here))
    if arrays is not None and classes is None:
        classes = arrays.classes
    if classes is None:
        classes = classes_for(
            program, base, overrides,
            network=network, parameters=parameters, input_shape=input,
        )  # fmt: skip
    limits = {} if max_layers is None else {"max_layers": max_layers}
    made = elaborate(
        program,
        network=network,
        overrides=parameters,
        input_shape=input,
        classes=classes,
        **limits,
    )
    plan, warnings = plan_and_warnings(made, overrides)
    warnings = [warning for warning in warnings if not silenced(warning, made)]
    texts = [f"{name}={literal(value)}" for name, value in parameters.items()]
    texts += [override_text(override) for override in overrides]
    options = Options(network, input, classes, tuple(texts))
    return Request(program, made, plan, base, options, tuple(warnings), arrays)


def request_from(
    source: Source,
    base: Path,
    options: Options,
    more: Sequence[tuple[str, object]] = (),
    data: str | ArrayData | None = None,
) -> Request:
    """The request of a run, from what its folder says; `more` options come on top."""
    try:
        known = [read_override(text) for text in options.set]
    except OverrideError as error:
        message = f"the options of this run cannot be read: {error}"
        raise SpecError([Diagnostic("no-run", message, file=source.name)]) from None
    return request(
        source,
        set=[*known, *more],
        data=data,
        network=options.network,
        input=options.input,
        classes=options.classes,
        base=base,
    )


def overrides_of(
    changes: Mapping[str, object], epochs: int | None = None
) -> list[tuple[str, object]]:
    """Values from Python as overrides; text is as in a spec: `{"train.optimizer": "adam"}`."""
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
    """The spec's folder; of one from the gallery, or from no file, where the person is."""
    if source.path is None or GALLERY in source.path.resolve().parents:
        return here
    return source.path.resolve().parent


# ---- back to text ----------------------------------------------------------------------------


def override_text(override: SectionOverride) -> str:
    """`train.epochs=3`, as it could stand behind `--set`."""
    if override.call is None:
        return f"{override.section}=off"
    word = override.call.head.value
    rest = override.call.span.text[len(word) :].strip()
    name = f"{override.section}.{word}"
    if override.argument:
        argument, _, value = rest.partition("=")
        return f"{name}.{argument.strip()}={value.strip()}"
    return f"{name}={rest}"
