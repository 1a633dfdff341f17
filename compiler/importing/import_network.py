"""From the file of another tool to the text of a spec, proved to be the same network."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.source import Source
from ..build.elaborate import elaborate
from ..load_spec import load
from ..shapes import Shape
from .fold import fold, unfolded
from .graph import Graph, Unsaid, only_used
from .prove import prove
from .readers import Format
from .structure import structure
from .write import write

MOST_OUTPUTS = 200
"""A network with more results is no network of anybody, and looking for their places takes long."""
_LISTED = 20


class Imported(NamedTuple):
    text: str
    """The spec."""
    layers: int
    left_out: tuple[Diagnostic, ...]
    """What the language cannot say, if a part of the network was asked for."""


def import_network(
    source: Source, format: Format, *, input_shape: Shape | None = None, partial: bool = False
) -> Imported:
    """The spec of a network; raises SpecError for a file that is wrong, or that has layers that the
    language cannot say, unless a part is enough.
    """
    graph = format.read(source, input_shape)
    left_out = _listed(graph.unsaid)
    if left_out and not partial:
        raise SpecError(left_out)
    if not graph.outputs:
        raise SpecError([*left_out, _nothing(source)])
    if len(graph.outputs) > MOST_OUTPUTS:
        raise SpecError(
            [
                Diagnostic(
                    "limit",
                    f"more than {MOST_OUTPUTS} layers that nothing reads",
                    graph.outputs[0].layer.span,
                )
            ]
        )
    graph = only_used(graph)
    header = _header(source, format, graph)
    body = structure(graph)
    text = write(fold(body), graph.name, header)
    if _differs(text, graph):
        text = write(unfolded(structure(graph)), graph.name, header)
        different = _differs(text, graph)
        if different:
            raise SpecError(
                [
                    Diagnostic(
                        "import",
                        f"the spec of this network would be another one: {different}",
                        file=source.name,
                        help="this is a mistake in dotcnn; please report it with the file",
                    )
                ]
            )
    return Imported(text, len(graph.layers), left_out)


def _differs(text: str, graph: Graph) -> str:
    """How the network of a spec differs from the one imported; empty if it is the same."""
    try:
        network = elaborate(load(Source("<imported>", text)))
    except SpecError as error:
        return error.diagnostics[0].message
    return prove(graph, network)


def _nothing(source: Source) -> Diagnostic:
    return Diagnostic("import", "no layer before that can be said", file=source.name)


def _listed(unsaid: Sequence[Unsaid]) -> tuple[Diagnostic, ...]:
    """Each kind of layer once, at its first place, with how many there are."""
    counts = Counter((each.what, each.why) for each in unsaid)
    first: dict[tuple[str, str], Unsaid] = {}
    for each in unsaid:
        first.setdefault((each.what, each.why), each)
    listed: list[Diagnostic] = []
    for key, count in counts.items():
        times = f", {count} times" if count > 1 else ""
        message = f"`{first[key].what[:60]}` cannot be said here{times}: {first[key].why}"
        help = "--partial writes the layers before it" if not listed else ""
        listed.append(Diagnostic("cannot-say", message, first[key].span, help=help))
    return tuple(listed[:_LISTED])


def _header(source: Source, format: Format, graph: Graph) -> list[str]:
    name = source.name.replace("\\", "/").rsplit("/", 1)[-1]
    parts = [
        f"From {name[:60]} ({format.tool}), imported by dotcnn, without weights. Compiled again, it"
        f" has the same {len(graph.layers):,} layers with the same connections and arguments."
    ]
    remarks = list(dict.fromkeys(graph.remarks))
    if remarks:
        more = ", and others" if len(remarks) > 3 else ""
        parts += [f"Left out: {'; '.join(remarks[:3])}{more}."]
    if graph.unsaid:
        kinds = Counter(each.what for each in graph.unsaid)
        named = ", ".join(f"{kind} ({count})" for kind, count in kinds.most_common(5))
        parts += [f"A part of it: it ends before what cannot be said, {named}."]
    plain = ["".join(c if c.isprintable() else "?" for c in part)[:400] for part in parts]
    return "\n\n".join(textwrap.fill(part, 98) for part in plain).split("\n")
