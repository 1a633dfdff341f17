"""From the file of another tool to the text of a spec, proved to be the same network."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.source import Source
from ..build.elaborate import elaborate
from ..load_spec import load
from ..network import Network
from .fold import fold, simply_folded, unfolded
from .graph import Graph, Tensor, Unsaid, only_used
from .prove import prove
from .readers import Format, Given
from .save import refuse_others, save_spec, save_weights
from .structure import structure
from .write import write

MOST_OUTPUTS = 200
"""A network with more results is no network of anybody, and looking for their places takes long."""
_LISTED = 20


class Imported(NamedTuple):
    """A network of another tool as one of ours."""

    graph: Graph
    """As it was read."""
    network: Network
    """As the spec says it."""
    body: str
    """The spec, without the comment at its top."""
    nodes: Mapping[int, int]
    """The node of the spec for each layer of the file, by their indices."""
    left_out: tuple[Diagnostic, ...]
    """What the language cannot say, if a part of the network was asked for."""
    origin: str
    """The file and its tool: `net.cfg (Darknet)`."""
    compared: str = ""
    """A sentence that says how its outputs compare with those of the original."""

    @property
    def text(self) -> str:
        """The spec, with a comment that says what it comes from and what was proved."""
        header = "\n".join(f"# {line}".rstrip() for line in _header(self))
        return f"{header}\n\n{self.body}"

    @property
    def weights(self) -> dict[str, Tensor]:
        """By their keys in the state dict of the emitted module."""
        nodes = self.network.nodes
        return {
            f"{nodes[self.nodes[layer.index]].name}.{key}": tensor
            for layer in self.graph.layers
            if layer.weights and nodes[self.nodes[layer.index]].shared is None
            for key, tensor in layer.weights.items()
        }

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the spec and, if there are any, its weights beside it: `net.cnn`,
        `net.safetensors`.

        Raises FileExistsError if that would replace a file that no import wrote, unless `force` is
        given, and OSError if a file cannot be written.
        """
        spec = Path(path)
        if spec.suffix.lower() != ".cnn":
            raise ValueError(f"{path} does not end in .cnn, as specs do")
        if not force:
            refuse_others(self, spec)
        save_weights(self, spec)
        save_spec(self, spec)


def import_network(given: Given, format: Format, *, partial: bool = False) -> Imported:
    """The spec of a network; raises SpecError for a file that is wrong, or that has layers that the
    language cannot say, unless a part is enough.
    """
    graph = format.read(given)
    name = given.name.replace("\\", "/").rsplit("/", 1)[-1]
    return folded(graph, f"{name[:60]} ({format.tool})", given.name, partial=partial)


def folded(graph: Graph, origin: str, file: str, *, partial: bool = False) -> Imported:
    """The spec of a network that has been read."""
    left_out = _listed(graph.unsaid)
    if left_out and not partial:
        raise SpecError(left_out)
    if not any(each.layer.inputs for each in graph.outputs):
        raise SpecError([*left_out, _nothing(file)])
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
    _complete(graph)
    different = ""
    for way in (fold, simply_folded, unfolded):
        text = write(way(structure(graph)), graph.name, graph.layers)
        try:
            network = elaborate(load(Source("<imported>", text)))
        except SpecError as error:
            different = error.diagnostics[0].message
            continue
        proof = prove(graph, network)
        if not proof.different:
            return Imported(graph, network, text, proof.nodes, left_out, origin)
        different = proof.different
    sharing = next((each for each in graph.layers if each.held), None)
    if sharing is not None:
        why = "it shares its weights with a layer that no label here reaches"
        raise SpecError([Diagnostic("cannot-say", f"`{sharing.op.word}`: {why}", sharing.span)])
    raise SpecError(
        [
            Diagnostic(
                "import",
                f"the spec of this network would be another one: {different}",
                file=file,
                help="this is a mistake in dotcnn; please report it with the file",
            )
        ]
    )


def _complete(graph: Graph) -> None:
    """Refuses weights that lack some; what only counts batches may be missing."""
    if not graph.has_weights:
        return
    missing = [
        Diagnostic("weights", f"there are no weights for this layer: `{key}` is missing", each.span)
        for each in graph.layers
        for key, shape in each.wanted.items()
        if shape and key not in each.weights
    ]
    if missing:
        raise SpecError(missing[:_LISTED])


def _nothing(file: str) -> Diagnostic:
    return Diagnostic("import", "no layer before that can be said", file=file)


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


def _header(imported: Imported) -> list[str]:
    graph = imported.graph
    without = "" if graph.has_weights else ", without weights"
    parts = [
        f"From {imported.origin}, imported by dotcnn{without}. Compiled again, it has the same"
        f" {len(graph.layers):,} layers with the same connections and arguments.",
        imported.compared,
    ]
    if graph.has_weights and not imported.compared:
        parts += ["Its weights are those of the file. The original was not run to compare outputs."]
    if graph.layout:
        parts += [f"{'; '.join(graph.layout)}."]
    remarks = list(dict.fromkeys(graph.remarks))
    if remarks:
        more = ", and others" if len(remarks) > 3 else ""
        parts += [f"Left out: {'; '.join(remarks[:3])}{more}."]
    if graph.unsaid:
        kinds = Counter(each.what for each in graph.unsaid)
        named = ", ".join(f"{kind} ({count})" for kind, count in kinds.most_common(5))
        parts += [f"A part of it: it ends before what cannot be said, {named}."]
    plain = ["".join(c if c.isprintable() else "?" for c in part)[:400] for part in parts if part]
    return "\n\n".join(textwrap.fill(part, 98) for part in plain).split("\n")
