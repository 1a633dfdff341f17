"""All diagnostics of a spec, as `cnn check` reports them: errors, and warnings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from ...dsl.closest import closest
from ...dsl.diagnostics import Diagnostic, Edit, has_errors, in_order
from ...dsl.program import Program
from ...dsl.source import Span
from ...dsl.syntax import Block
from ...dsl.syntax import Network as NetworkSyntax
from ..build.elaborate import Elaboration, examine
from ..build.scoping import UNKNOWN_WORD, sections_of
from ..extend.used_plugins import words_of
from ..language.fuel import DEFAULT_LAYERS, LIMIT
from ..language.overrides import SectionOverride, divide
from ..language.problems import MAX_MISTAKES
from ..network import Network
from ..shapes import Shape
from .rest import errors_in_the_rest
from .trial import tried_in, without_untried
from .unused import UNUSED

TAB = "tab"
"""The warning that the language itself defines."""

MOST_OTHERS = 8
"""The most networks of a file that are checked besides the main one, which is the last."""

UNREACHED, HIGH_RATE = "unreached", "high-rate"
"""Those of sections: something is to happen after the last epoch; a learning rate is a mistake."""


def check(
    program: Program,
    *,
    network: str | None = None,
    input_shape: Shape | None = None,
    max_layers: int = DEFAULT_LAYERS,
    classes: int | None = None,
    overrides: Iterable[tuple[str, object]] = (),
) -> list[Diagnostic]:
    """Checks a program: its main network, or the one named, and without a name the others of the
    file, too. A file that only defines blocks is valid: others import it.
    """
    return checked(
        program,
        network=network,
        input_shape=input_shape,
        max_layers=max_layers,
        classes=classes,
        overrides=overrides,
    ).diagnostics


class Checked(NamedTuple):
    network: Network | None
    """The main network, or the one named; None if it has errors."""
    diagnostics: list[Diagnostic]


def checked(
    program: Program,
    *,
    network: str | None = None,
    input_shape: Shape | None = None,
    max_layers: int = DEFAULT_LAYERS,
    classes: int | None = None,
    overrides: Iterable[tuple[str, object]] = (),
) -> Checked:
    """Like `check`, with the network."""
    with words_of(program):
        return _checked(program, network, input_shape, max_layers, classes, overrides)


def _checked(
    program: Program,
    network: str | None,
    input_shape: Shape | None,
    max_layers: int,
    classes: int | None,
    overrides: Iterable[tuple[str, object]],
) -> Checked:
    built, main = _check_one(program, network, input_shape, max_layers, classes, overrides)
    if network is not None:
        return Checked(built, main)
    *others, _ = [
        statement.name.value
        for statement in program.main.statements
        if isinstance(statement, NetworkSyntax)
    ] or [""]
    # A generator and its discriminator share blocks: unused is what no network uses.
    unused = [d for d in main if d.code in UNUSED]
    found = [d for d in main if d.code not in UNUSED]
    for name in dict.fromkeys(others[-MOST_OTHERS:]):
        _, each = _check_one(program, name, None, max_layers // 16, classes, ())
        if any(d.code == LIMIT for d in each):
            continue  # whoever asks for it by name has the whole limit
        # What a network with errors would use is not known.
        unused = [] if has_errors(each) else [d for d in unused if d in each]
        found += [d for d in each if d not in found and d.code not in UNUSED]
    return Checked(built, in_order([*found, *unused]))


def _check_one(
    program: Program,
    network: str | None,
    input_shape: Shape | None,
    max_layers: int,
    classes: int | None,
    overrides: Iterable[tuple[str, object]],
) -> Checked:
    parameters, sections = divide(overrides)
    needs_network = network is not None or not any(
        isinstance(statement, Block) for statement in program.main.statements
    )

    def once(variant: Program, max_layers: int) -> tuple[Network | None, list[Diagnostic]]:
        elaboration = examine(
            variant,
            network=network,
            overrides=parameters,
            input_shape=input_shape,
            classes=classes,
            max_layers=max_layers,
            needs_network=needs_network,
            tries=False,
        )
        return _with_sections(variant, elaboration, sections)

    def quickly(variant: Program) -> list[Diagnostic]:
        return once(variant, max_layers // 16)[1]

    found, diagnostics = once(program, max_layers)
    diagnostics = tried_in(program, diagnostics, quickly)
    if any(d.code == UNKNOWN_WORD and d.edits for d in diagnostics):
        # The body of a misspelled `network` has not been looked at.
        source = program.main.source
        diagnostics += errors_in_the_rest(
            source, diagnostics, lambda variant: tried_in(variant, quickly(variant), quickly)
        )
    if found is not None:
        from ..analysis.lints import RULES, lint

        diagnostics = [*diagnostics, *lint(found)]
        diagnostics = [d for d in diagnostics if not silenced(d, found)]
        diagnostics += unknown_codes(found, {*RULES, *UNUSED, TAB, UNREACHED, HIGH_RATE})
        if not has_errors(diagnostics):
            diagnostics = without_untried(
                program, diagnostics, lambda variant: once(variant, max_layers // 4)[1]
            )
    return Checked(found, in_order(diagnostics))


def mistakes(program: Program) -> list[Diagnostic]:
    """The errors, with fixes that have not been tried."""
    elaboration = examine(
        program, max_layers=DEFAULT_LAYERS // 16, needs_network=False, tries=False
    )
    return _with_sections(program, elaboration)[1]


def _with_sections(
    program: Program, elaboration: Elaboration, overrides: Sequence[SectionOverride] = ()
) -> tuple[Network | None, list[Diagnostic]]:
    """The network, if it has no errors, and the errors of network and sections."""
    network, diagnostics = elaboration
    sections = sections_of(program)
    if sections or overrides:
        from ..plan.check import check_sections

        in_sections = check_sections(program, sections, network, overrides)
        return network, [*diagnostics, *in_sections]
    return network, diagnostics


def unknown_codes(network: Network, codes: Collection[str]) -> Iterator[Diagnostic]:
    """Errors for `allow` with an unknown warning code."""
    told: set[Span] = set()
    for allowed in network.allowed:
        if allowed.code in codes or allowed.span in told:
            continue
        if len(told) >= MAX_MISTAKES:
            return
        told.add(allowed.span)
        close = closest(allowed.code, codes)
        help = (
            f'did you mean `"{close}"`?' if close else f"the codes are {', '.join(sorted(codes))}"
        )
        yield Diagnostic(
            "unknown-code",
            f'no warning has the code `"{allowed.code}"`',
            allowed.span,
            help=help,
            edits=(Edit(allowed.span, f'"{close}"'),) if close else (),
            severity="warning",
        )


def silenced(diagnostic: Diagnostic, network: Network) -> bool:
    """Whether `allow "code"` applies at this place."""
    span = diagnostic.span
    if diagnostic.severity == "error" or span is None:
        return False
    return any(
        allowed.code == diagnostic.code
        and allowed.region.source is span.source
        and allowed.region.start <= span.start <= allowed.region.end
        for allowed in network.allowed
    )
