"""A whole module: header, imports, helpers, classes, and the network's own class last."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..network import AuxHead, Network
from ..shapes import Shape
from ..shapes import text as shape_text
from .body import Bodies
from .branches import Ref, places
from .check_run import check_run
from .class_writer import Classes
from .comments import Comments
from .constructor import assignments
from .contents import Contents
from .forward import SHORT, Forward
from .initial import InitText, initial
from .layout import STEP
from .source import NAMESPACE, Names, docstring

Lines = list[str]


def module(network: Network, version: str, *, flat: bool = False, main: bool = False) -> str:
    """The source of a torch module, with a class for each block of the spec, or one for all."""
    start = initial(network)
    bodies = Bodies(network, frozenset(start.zero))
    comments = Comments(network.program)
    names = Names(NAMESPACE | _helper_names(network))
    own = names.free(network.name, "Network")
    outputs = names.free(f"{own}Outputs") if network.aux else ""
    classes = Classes(bodies, comments, names)
    contents = classes.as_it_is(bodies.flat()) if flat else classes.write(network.root)
    parts: list[Sequence[str]] = [helper.rstrip("\n").split("\n") for helper in classes.helpers]
    parts += [made.lines for made in classes.written]
    fields = head_fields(network.aux)
    if outputs:
        parts.append(_named_tuple(outputs, fields))
    parts.append(
        _network_class(network, own, outputs, fields, contents, bodies, start, comments, flat)
    )
    if main:
        parts.append(check_run(own, network, "_" if flat else "."))
    note = "Names of weights have `_` for dots." if flat else ""
    return assemble(header(network, comments, version, note), parts)


def assemble(top: Lines, parts: Sequence[Sequence[str]]) -> str:
    """The parts of a module one below the other, and the imports that they need."""
    text = "\n\n\n".join("\n".join(part) for part in parts)
    imports = []
    if re.search(r"\bNamedTuple\b", text):
        imports += ["from typing import NamedTuple", ""]
    if re.search(r"\btorch\.", text):
        imports.append("import torch")
    if re.search(r"\bF\.", text):
        imports.append("import torch.nn.functional as F")
    imports.append("from torch import Tensor, nn")
    return "\n".join([*top, "", *imports, "", "", text, ""])


def header(network: Network, comments: Comments, version: str, note: str = "") -> Lines:
    """What it is, from where, and how weights get into it."""
    source = network.program.main.source
    file = Path(source.path or source.name).name
    said = comments.top(source)
    if said and said[0].startswith(f"{file}: "):
        said[0] = said[0].removeprefix(f"{file}: ")
    made = f"From {file} by dotcnn {version}."
    weights = "Weights: model.load_state_dict(torch.load(path))"
    said[1:1] = [f"{made} {note}", weights] if note else [f"{made} {weights}"]
    return docstring(said, 0)


EMITTED = re.compile(rb'\A(?:"""|.*\n)From .* by dotcnn ')
"""How all begins that is made here: what may be replaced without a question."""


def _helper_names(network: Network) -> set[str]:
    found: set[str] = set()
    for node in network.nodes[1:]:
        helper = node.op.torch(node.shape, *node.input_shapes).helper
        if helper:
            found.update(re.findall(r"^(?:class|def) (\w+)", helper, re.MULTILINE))
    return found


# ---- outputs of several kinds -------------------------------------------------------------------


def head_fields(heads: Sequence[AuxHead]) -> list[str]:
    """The names of auxiliary outputs in a named tuple."""
    names = Names({"count", "index", "logits", "paths", *SHORT})
    return [names.free(head.scope.name.replace(".", "_"), "aux") for head in heads]


def _named_tuple(name: str, fields: Sequence[str]) -> Lines:
    return [
        f"class {name}(NamedTuple):",
        f"{STEP}logits: Tensor",
        *(f"{STEP}{field}: Tensor | None" for field in fields),
    ]


# ---- the network --------------------------------------------------------------------------------


def _network_class(
    network: Network,
    name: str,
    outputs: str,
    fields: Sequence[str],
    contents: Contents,
    bodies: Bodies,
    start: InitText,
    comments: Comments,
    flat: bool,
) -> Lines:
    lines = [f"class {name}(nn.Module):"]
    syntax = network.root.span
    described = docstring(comments.above(syntax.source, syntax.line), 1)
    if described:
        lines += [*described, ""]
    lines.append(f"{STEP}def __init__(self) -> None:")
    lines += assignments(contents, {})
    if network.output.index in bodies.left_out:
        text = network.output.op.torch(network.output.shape, *network.output.input_shapes)
        lines.append(f"{STEP * 2}self.{_last_name(network)} = {text.module}")
    lines += _beginning(start)
    lines.append("")
    lines += _forward(outputs, fields, contents, flat)
    if network.output.index in bodies.left_out:
        lines += ["", *_predict(network, bool(outputs))]
    return lines


def _last_name(network: Network) -> str:
    return network.output.name.replace(".", "_")


def _beginning(start: InitText) -> Lines:
    """How weights begin: the function of one module, put into a loop over all."""
    if not start.lines:
        return []
    reason = start.lines[1].strip().strip('"').rstrip(".")
    return [
        f"{STEP * 2}for module in self.modules():  # {reason}",
        *(STEP * 2 + line for line in start.lines[2:]),
    ]


def _forward(outputs: str, fields: Sequence[str], contents: Contents, flat: bool) -> Lines:
    shapes: dict[Ref, Shape] = {
        (place.step.key, number): shape
        for place in places(contents.items)
        for number, shape in enumerate(place.step.shapes)
    }

    result = f"Tensor | {outputs}" if outputs else "Tensor"
    lines = [f"{STEP}def forward(self, x: Tensor) -> {result}:"]
    writer = Forward(
        contents.items,
        contents.outputs,
        ["x"],
        Names({*SHORT, "paths", *fields}),
        shapes=lambda value: shape_text(shapes[value]),
        heads=dict(zip(contents.outputs[1:], fields, strict=True)),
        together=outputs,
        line_each=flat,
    )
    return lines + writer.write()


def _predict(network: Network, several: bool) -> Lines:
    lines = [
        f"{STEP}def predict(self, x: Tensor) -> Tensor:",
        f'{STEP * 2}"""What the logits of `forward` stand for."""',
    ]
    if several:
        lines += [
            f"{STEP * 2}output = self.forward(x)",
            f"{STEP * 2}x = output if isinstance(output, Tensor) else output.logits",
        ]
    else:
        lines.append(f"{STEP * 2}x = self.forward(x)")
    return [*lines, f"{STEP * 2}x = self.{_last_name(network)}(x)", f"{STEP * 2}return x"]
