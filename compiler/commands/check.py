"""`cnn check`: find mistakes in specs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ... import __version__
from ...dsl.diagnostics import Diagnostic, SpecError, has_errors
from ...dsl.gc_pause import gc_paused
from .options import SPECS, add_network_options
from .specs import given_specs
from .terminal import ERRORS, OK, print_diagnostics, say

if TYPE_CHECKING:
    from ..spec_options import GivenSpec

EXAMPLES = """\
cnn check net.cnn
cnn check net.cnn --set width=32
cnn check specs/ --format json
cat net.cnn | cnn check -"""

DETAILS = "It prints nothing if it finds nothing, and exits with 1 if there are errors."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help=SPECS)
    parser.add_argument(
        "--format",
        choices=["text", "json", "sarif"],
        default="text",
        help="text for people, json and sarif for programs (default: text)",
    )
    add_network_options(parser)


def run(options: argparse.Namespace) -> int:
    diagnostics: list[Diagnostic] = []
    for spec in given_specs(options.files, options):
        diagnostics += spec if isinstance(spec, list) else _examine(spec, options)
    diagnostics = _without_repetition(diagnostics)
    if not diagnostics and options.format == "text":
        return OK

    from ...dsl import render

    if options.format == "json":
        print(render.render_json(diagnostics))
    elif options.format == "sarif":
        print(render.render_sarif(diagnostics, __version__))
    else:
        print_diagnostics(diagnostics, options, sys.stdout)
        say(render.summary(diagnostics))
    return ERRORS if has_errors(diagnostics) else OK


def _without_repetition(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """A mistake in a file that several specs import is shown once."""
    return list(
        {
            (each.where, each.code, each.message, each.span and each.span[1:]): each
            for each in diagnostics
        }.values()
    )


@gc_paused()  # once for a file: each pause ends in a search through all that is there
def _examine(spec: GivenSpec, options: argparse.Namespace) -> list[Diagnostic]:
    from ..diagnose.check import check
    from ..language.fuel import DEFAULT_LAYERS
    from ..load_spec import load

    try:
        return check(
            load(spec.source),
            network=options.network or spec.options.network,
            input_shape=options.input or spec.options.input,
            max_layers=options.max_layers or DEFAULT_LAYERS,
            classes=spec.options.classes,
            overrides=[*spec.overrides(), *options.set],
        )
    except SpecError as error:
        return list(error.diagnostics)
