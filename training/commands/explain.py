"""`cnn explain`: show how the figures of a layer are computed, or list the directives of a section.

It needs no torch. It is here and not in compiler/, because `explain transfer` counts the images of
data sets, which compiler/ knows nothing about.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ...compiler.commands.options import SPEC, add_memory_options, add_network_options
from ...compiler.commands.specs import (
    analysis_of,
    given_spec,
    network_of,
    section_overrides,
    selected,
)
from ...compiler.commands.terminal import OK, style
from ...compiler.language.vocabulary import SECTIONS
from ...compiler.network import Network
from ...compiler.plan.plan import TrainPlan
from ...compiler.spec_options import GivenSpec
from ...dsl.diagnostics import SpecError
from .common import add_data

EXAMPLES = """\
cnn explain resnet50
cnn explain net.cnn layer1.0.conv2
cnn explain net.cnn layer1
cnn explain googlenet inception3a.path3
cnn explain net.cnn 12
cnn explain net.cnn train --set train.optimizer.lr=0.1
cnn explain net.cnn transfer --data flowers"""

DETAILS = """\
For a layer, a part or the whole network it writes out how sizes, parameters and multiply-adds are
computed. For a section it lists every directive with its value, including defaults."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help=SPEC)
    parser.add_argument(
        "layer",
        nargs="?",
        metavar="LAYER",
        help="a name as `cnn report` shows it, its beginning or its end, a path of a part, like"
        " inception3a.path3, or a line number of the file; or a section:"
        f" {', '.join(sorted(SECTIONS))} (default: the totals)",
    )
    add_data(parser, "for a section: count other images than those that the spec names")
    add_network_options(parser)
    add_memory_options(parser)


def run(options: argparse.Namespace) -> int:
    from ...compiler.report.explain.layer import explain

    if options.layer in SECTIONS:
        return _explain_section(options)
    analysis = analysis_of(options.file, options)
    selection = None if options.layer is None else selected(analysis.network, options.layer)
    print(explain(analysis, selection, batch=analysis.setting.batch, style=style(options)))
    return OK


def _explain_section(options: argparse.Namespace) -> int:
    from ...compiler.language.overrides import divide
    from ...compiler.plan import describe, plan
    from ...compiler.plan.describe import describe_sweep
    from ...compiler.plan.make import sweep_plan

    spec = given_spec(options.file, options)
    parameters, overrides = divide(options.set)
    options.set = list(parameters.items())
    network = network_of(spec, options)
    overrides = [*section_overrides(spec), *overrides]
    if options.data is not None:
        from ..data.sources.given import given

        overrides.append(given(options.data, Path.cwd()))
    if options.layer == "sweep":
        print("\n".join(describe_sweep(sweep_plan(network, overrides))))
        return OK
    planned = plan(network, overrides, needs_data=False)
    print("\n".join(describe(planned, options.layer)))
    lines: list[str] = []
    if options.layer == "augment":
        from ...compiler.plan.fusion import fuse
        from ...compiler.report.explain.augment import explain_augment

        lines = explain_augment(fuse(planned), style(options))
    elif options.layer == "transfer":
        lines = _explain_transfer(spec, network, planned, options)
    if lines:
        print("\n".join(["", *lines]))
    return OK


def _explain_transfer(
    spec: GivenSpec, network: Network, plan: TrainPlan, options: argparse.Namespace
) -> list[str]:
    from ...compiler.report.style import wrapped
    from ..data.sources.count_classes import count_classes
    from ..request import base_of
    from ..transfer.explain import explained

    base = spec.base or base_of(spec.source, Path.cwd())
    try:
        classes = count_classes(plan.train.data, base) if plan.transfer is not None else None
    except SpecError:  # the number of classes is only needed for a policy
        classes = None
    if classes not in (None, network.output.shape[0]):
        network = network_of(spec, options, classes)
    lines = explained(network, plan, base, style(options))
    if lines and classes is None:
        outputs = network.output.shape[0]
        if network_of(spec, options, outputs + 1).output.shape[0] != outputs:
            unknown = (
                f"The number of classes is not known, so the head is counted with {outputs}"
                " classes; name the images with `--data`."
            )
            lines += ["", *wrapped(unknown, style(options))]
    return lines
