"""Assembles the module: header, imports, helpers, classes, the class of the network last."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..analysis.fixed_size import place_of_size
from ..language.values import python
from ..network import AuxHead, Network
from ..ops.base import helper, helpers_of
from ..shapes import text as shape_text
from .body import Bodies
from .branches import Ref, places
from .class_contents import Contents
from .class_writer import Classes, class_text
from .constructor import assignments
from .forward import SHORT, Forward
from .initial import WHITEN, initial
from .layout import STEP, Doc, Group, statement
from .source import NAMESPACE, Comments, Names, docstring

Lines = list[str]


OF_SIZE = helper('''\
def of_size(x: Tensor, height: int, width: int, place: str) -> Tensor:
    """The input; one of another size is refused, since this text holds numbers for one size."""
    if x.shape[2] != height or x.shape[3] != width:
        size = f"{x.shape[2]}x{x.shape[3]}"
        raise ValueError(f"{place} is for inputs of {height}x{width} only, and this is {size}")
    return x
''')


EMITTED = re.compile(rb'\A(?:"""|.*\n)From .* by dotcnn ')
"""The beginning of every emitted file: such a file may be overwritten without asking."""


def module(network: Network, version: str, *, flat: bool = False, main: bool = False) -> str:
    """The source of a torch module, with a class for each block of the spec, or one class."""
    start = initial(network)
    bodies = Bodies(network, frozenset(start.zero))
    comments = Comments(network.program)
    names = Names(NAMESPACE | _helper_names(network))
    own = names.free(network.name, "Network")
    outputs = names.free(f"{own}Outputs") if network.aux else ""
    classes = Classes(bodies, comments, names)
    contents = classes.unchanged(bodies.flat()) if flat else classes.write(network.root)
    place = place_of_size(network)
    helpers = list(dict.fromkeys([*classes.helpers, *_helpers(network)]))
    helpers += [WHITEN] * bool(network.init.whitened) + [OF_SIZE] * bool(place)
    parts: list[Sequence[str]] = [helper.rstrip("\n").split("\n") for helper in helpers]
    parts += [made.lines for made in classes.written]
    fields = _head_fields(network.aux)
    if outputs:
        heads = [f"{STEP}{field}: Tensor | None" for field in fields]
        parts.append([f"class {outputs}(NamedTuple):", f"{STEP}logits: Tensor", *heads])
    made = assignments(contents, {})
    predict: Lines = []
    if network.output.index in bodies.left_out:
        node, last = network.output, network.output.name.replace(".", "_")
        made.append(f"{STEP * 2}self.{last} = {node.torch.module}")
        predict = _predict(last, bool(outputs))
    if start.lines:  # the body of `init_weights`, as a loop over all modules
        reason = start.lines[1].strip().strip('"').rstrip(".")
        made.append(f"{STEP * 2}for module in self.modules():  # {reason}")
        made += [STEP * 2 + line for line in start.lines[2:]]
    if network.init.whitened:
        made += [STEP * 2 + line for line in _whitened(network.init.whitened, flat)]
    described = comments.above(network.root.span)
    forward = _forward(outputs, fields, contents, flat)
    if place:
        height, width = network.input.shape[1:]
        forward.insert(1, f"{STEP * 2}x = of_size(x, {height}, {width}, {python(place)})")
    parts.append(class_text(f"{own}(nn.Module)", described, (), made, forward, predict))
    if main:
        parts.append(_check_run(own, network, "_" if flat else "."))
    note = "Names of weights have `_` for dots." if flat else ""
    return _assembled(_header(network, comments, version, note), parts)


def _assembled(top: Lines, parts: Sequence[Sequence[str]]) -> str:
    """The parts of a module, preceded by the imports that they need."""
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


def _header(network: Network, comments: Comments, version: str, note: str) -> Lines:
    """The docstring of the module: what it is, where it comes from, how to load weights."""
    source = network.program.main.source
    file = Path(source.path or source.name).name
    lines = comments.top(source)
    if lines:
        lines[0] = lines[0].removeprefix(f"{file}: ")
    weights = "Weights: model.load_state_dict(torch.load(path))"
    made = f"From {file} by dotcnn {version}. {note or weights}"
    lines[1:1] = [made, weights] if note else [made]
    return docstring(lines, 0)


def _helpers(network: Network) -> Iterator[str]:
    """The sources that layers need; those without a module of their own are known here only."""
    return (source for node in network.nodes[1:] for source in helpers_of(node.torch))


def _helper_names(network: Network) -> set[str]:
    helpers = {WHITEN, OF_SIZE, *_helpers(network)}
    return {*re.findall(r"^(?:class|def) (\w+)", "\n".join(helpers), re.MULTILINE)}


def _whitened(name: str, flat: bool) -> Lines:
    """The statement that excludes the weights of a whitening convolution from training."""
    place = name.replace(".", "_") if flat else re.sub(r"\.(\d+)", r"[\1]", name)
    return [
        f"# whiten(self.{place}, images) sets these weights; they are not trained.",
        f"self.{place}.weight.requires_grad_(False)",
    ]


def _head_fields(heads: Sequence[AuxHead]) -> list[str]:
    """The names of auxiliary outputs in a named tuple."""
    names = Names({"count", "index", "logits", "paths", *SHORT})
    return [names.free(head.scope.name.replace(".", "_"), "aux") for head in heads]


def _forward(outputs: str, fields: Sequence[str], contents: Contents, flat: bool) -> Lines:
    shapes: dict[Ref, str] = {
        (place.step.key, number): shape_text(shape)
        for place in places(contents.items)
        for number, shape in enumerate(place.step.shapes)
    }
    writer = Forward(
        contents.items,
        contents.outputs,
        ["x"],
        Names({*SHORT, "paths", *fields}),
        shapes=shapes.__getitem__,
        heads=dict(zip(contents.outputs[1:], fields, strict=True)),
        together=outputs,
        line_each=flat,
    )
    result = f"Tensor | {outputs}" if outputs else "Tensor"
    return [f"{STEP}def forward(self, x: Tensor) -> {result}:", *writer.write()]


def _predict(last: str, several: bool) -> Lines:
    body = ["x = self.forward(x)"]
    if several:
        body = [
            "output = self.forward(x)",
            "x = output if isinstance(output, Tensor) else output.logits",
        ]
    return [
        f"{STEP}def predict(self, x: Tensor) -> Tensor:",
        f'{STEP * 2}"""What the logits of `forward` stand for."""',
        *(STEP * 2 + line for line in [*body, f"x = self.{last}(x)", "return x"]),
    ]


def _check_run(name: str, network: Network, dot: str) -> Lines:
    """The code of `--main`: random images through the network, printing shapes and the number of
    parameters, those of auxiliary heads apart, as in a report. `dot` replaces dots in names of
    weights."""
    lines = [
        f"model = {name}().eval()",
        f"images = torch.randn(2, {', '.join(map(str, network.input.shape))})",
        "with torch.no_grad():",
        f"{STEP}output = model(images)",
        'print("input", *images.shape)',
        'print("output", *output.shape)',
        "parameters = sum(weight.numel() for weight in model.parameters())",
    ]
    if network.aux:
        prefixes = [python(head.scope.name.replace(".", dot) + dot) for head in network.aux]
        heads: Doc = Group("(", tuple(prefixes), ")") if len(prefixes) > 1 else prefixes[0]
        lines += [
            *(line.removeprefix(STEP) for line in statement(heads, 1, before="heads = ")),
            "in_heads = sum(",
            f"{STEP}weight.numel()",
            f"{STEP}for name, weight in model.named_parameters()",
            f"{STEP}if name.startswith(heads)",
            ")",
            'print(f"{parameters - in_heads:,} parameters")',
            'print(f"{in_heads:,} in auxiliary heads")',
        ]
    else:
        lines.append('print(f"{parameters:,} parameters")')
    return ['if __name__ == "__main__":', *(STEP + line for line in lines)]
