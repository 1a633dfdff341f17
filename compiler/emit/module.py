"""Assembles the module: header, imports, helpers, classes, the class of the network last."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..analysis.fixed_size import place_of_size
from ..language.values import python
from ..network import Network, Node
from ..ops.base import helper, helpers_of, imports_of
from ..shapes import axes_of
from ..shapes import text as shape_text
from .body import Bodies
from .branches import Ref, places
from .class_contents import Contents
from .class_writer import Classes, class_text
from .constructor import assignments
from .forward import Forward
from .forward_names import SHORT, argument_names, output_names, returns_tuple
from .initial import WHITEN, initial
from .layout import STEP, Doc, Group, statement
from .source import NAMESPACE, Comments, Names, docstring

Lines = list[str]


OF_SIZE = {
    1: helper('''\
def of_length(x: Tensor, length: int, place: str) -> Tensor:
    """The input; one of another length is refused, since this text holds numbers for one."""
    if x.shape[2] != length:
        size, whole = x.shape[2], f"{length} steps"
        raise ValueError(f"{place} is for inputs of {whole} only, and this has {size}")
    return x
'''),
    2: helper('''\
def of_size(x: Tensor, height: int, width: int, place: str) -> Tensor:
    """The input; one of another size is refused, since this text holds numbers for one size."""
    if x.shape[2] != height or x.shape[3] != width:
        size = f"{x.shape[2]}x{x.shape[3]}"
        whole = f"{height}x{width}"
        raise ValueError(f"{place} is for inputs of {whole} only, and this is {size}")
    return x
'''),
    3: helper('''\
def of_volume(x: Tensor, depth: int, height: int, width: int, place: str) -> Tensor:
    """The input; one of another size is refused, since this text holds numbers for one size."""
    if x.shape[2] != depth or x.shape[3] != height or x.shape[4] != width:
        size = f"{x.shape[2]}x{x.shape[3]}x{x.shape[4]}"
        whole = f"{depth}x{height}x{width}"
        raise ValueError(f"{place} is for inputs of {whole} only, and this is {size}")
    return x
'''),
}
_OF_SIZE_NAMES = {1: "of_length", 2: "of_size", 3: "of_volume"}


EMITTED = re.compile(rb'\A(?:"""|.*\n)From .* by dotcnn ')
"""The beginning of every emitted file: such a file may be overwritten without asking."""


def module(network: Network, version: str, *, flat: bool = False, main: bool = False) -> str:
    """The source of a torch module, with a class for each block of the spec, or one class."""
    start = initial(network)
    bodies = Bodies(network, frozenset(start.zero))
    comments = Comments(network.program)
    imported = plugin_imports(network)
    taken = {name for names in imported.values() for name in names}
    names = Names(NAMESPACE | _helper_names(network) | taken)
    own = names.free(network.name, "Network")
    outputs = names.free(f"{own}Outputs") if returns_tuple(network) else ""
    arguments, fields = argument_names(network), output_names(network)
    classes = Classes(bodies, comments, names)
    contents = classes.unchanged(bodies.flat()) if flat else classes.write(network.root)
    place = place_of_size(network)
    helpers = list(dict.fromkeys([*classes.helpers, *_helpers(network)]))
    helpers += [WHITEN] * bool(network.init.whitened)
    if place:
        sized = dict.fromkeys(axes_of(node.shape) for node in network.inputs)
        helpers += [OF_SIZE[axes] for axes in sized if axes]
    parts: list[Sequence[str]] = [helper.rstrip("\n").split("\n") for helper in helpers]
    parts += [made.lines for made in classes.written]
    count = len(network.outputs)
    if outputs:
        types = ["Tensor"] * count + ["Tensor | None"] * len(network.aux)
        typed = [f"{STEP}{each}: {type}" for each, type in zip(fields, types, strict=True)]
        parts.append([f"class {outputs}(NamedTuple):", *typed])
    made = assignments(contents, {})
    last = {
        field: output.node
        for field, output in zip(fields, network.outputs, strict=False)
        if output.node.index in bodies.left_out
    }
    made += [f"{STEP * 2}self.{_plain(node)} = {node.torch.module}" for node in last.values()]
    predict = _predict(arguments, last, outputs, count > 1) if last else []
    if start.lines:  # the body of `init_weights`, as a loop over all modules
        reason = start.lines[1].strip().strip('"').rstrip(".")
        made.append(f"{STEP * 2}for module in self.modules():  # {reason}")
        made += [STEP * 2 + line for line in start.lines[2:]]
    if network.init.whitened:
        made += [STEP * 2 + line for line in _whitened(network.init.whitened, flat)]
    described = comments.above(network.root.span)
    forward = _forward(outputs, arguments, fields, count, contents, flat)
    if place:
        checked = [
            f"{STEP * 2}{name} = {_OF_SIZE_NAMES[axes]}({name}, "
            f"{', '.join(map(str, node.shape[1:]))}, {python(place)})"
            for name, node in zip(arguments, network.inputs, strict=True)
            if (axes := axes_of(node.shape))
        ]
        head = next(n for n, line in enumerate(forward) if line.endswith(":"))
        forward[head + 1 : head + 1] = checked
    parts.append(class_text(f"{own}(nn.Module)", described, (), made, forward, predict))
    if main:
        parts.append(_check_run(own, network, arguments, fields, "_" if flat else "."))
    note = "Names of weights have `_` for dots." if flat else ""
    header = _header(network, comments, version, note, list(imported))
    return _assembled(header, parts, import_lines(imported))


def plugin_imports(network: Network) -> dict[str, list[str]]:
    """What the layers of plug-ins take from these, by module."""
    found: dict[str, dict[str, None]] = {}
    for node in network.nodes:
        if node.inputs and node.torch.imports:
            for module, name in imports_of(node.op, node.torch):
                found.setdefault(module, {})[name] = None
    return {module: sorted(found[module]) for module in sorted(found)}


def import_lines(imported: Mapping[str, Sequence[str]]) -> Lines:
    """Nothing else of a plug-in may be imported (`allowed`)."""
    return [f"from {module} import {', '.join(names)}" for module, names in imported.items()]


def _assembled(top: Lines, parts: Sequence[Sequence[str]], further: Lines) -> str:
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
    imports += ["", *further] if further else []
    return "\n".join([*top, "", *imports, "", "", text, ""])


def _header(
    network: Network, comments: Comments, version: str, note: str, imported: Sequence[str]
) -> Lines:
    """The docstring of the module: what it is, where it comes from, how to load weights."""
    source = network.program.main.source
    file = Path(source.path or source.name).name
    lines = comments.top(source)
    if lines:
        lines[0] = lines[0].removeprefix(f"{file}: ")
    weights = "Weights: model.load_state_dict(torch.load(path))"
    made = f"From {file} by dotcnn {version}. {note or weights}"
    lines[1:1] = [made, weights] if note else [made]
    if imported:
        plugins = " and ".join(f"`{module}`" for module in imported)
        lines.insert(2 + bool(note), f"It imports {plugins}: a plug-in, not a part of dotcnn.")
    return docstring(lines, 0)


def _helpers(network: Network) -> Iterator[str]:
    """The sources that layers need; those without a module of their own are known here only."""
    layers = (node for node in network.nodes if node.inputs)
    return (source for node in layers for source in helpers_of(node.torch))


def _helper_names(network: Network) -> set[str]:
    helpers = {WHITEN, *OF_SIZE.values(), *_helpers(network)}
    return {*re.findall(r"^(?:class|def) (\w+)", "\n".join(helpers), re.MULTILINE)}


def _whitened(name: str, flat: bool) -> Lines:
    """The statement that excludes the weights of a whitening convolution from training."""
    place = name.replace(".", "_") if flat else re.sub(r"\.(\d+)", r"[\1]", name)
    return [
        f"# whiten(self.{place}, images) sets these weights; they are not trained.",
        f"self.{place}.weight.requires_grad_(False)",
    ]


def _plain(node: Node) -> str:
    return node.name.replace(".", "_")


def _forward(
    outputs: str,
    arguments: Sequence[str],
    fields: Sequence[str],
    main: int,
    contents: Contents,
    flat: bool,
) -> Lines:
    """The method `forward`; the first `main` of its outputs are computed always."""
    shapes: dict[Ref, str] = {
        (place.step.key, number): shape_text(shape)
        for place in places(contents.items)
        for number, shape in enumerate(place.step.shapes)
    }
    named = dict(zip(contents.outputs, fields, strict=False))
    writer = Forward(
        contents.items,
        contents.outputs,
        arguments,
        Names({*SHORT, "paths", *arguments, *(fields[1:] if main == 1 else fields)}),
        shapes=shapes.__getitem__,
        heads={value: named[value] for value in contents.outputs[main:]},
        results={value: named[value] for value in contents.outputs[:main]} if main > 1 else {},
        together=outputs,
        line_each=flat,
    )
    result = outputs or "Tensor"
    if outputs and main == 1:
        result = f"Tensor | {outputs}"
    head = Group("def forward(", ("self", *_typed(arguments)), f") -> {result}:")
    return [*statement(head, 1), *writer.write()]


def _typed(arguments: Sequence[str]) -> list[str]:
    return [f"{name}: Tensor" for name in arguments]


def _predict(
    arguments: Sequence[str], last: Mapping[str, Node], outputs: str, several: bool
) -> Lines:
    """The method that applies what stands after the logits; `last` has it for each output."""
    call = Group("self.forward(", tuple(arguments), ")")
    head = Group(
        "def predict(",
        ("self", *_typed(arguments)),
        f") -> {outputs if several else 'Tensor'}:",
    )
    lines = [*statement(head, 1), f'{STEP * 2}"""What the logits of `forward` stand for."""']
    if several:
        changed = tuple(
            f"{name}=self.{_plain(node)}(outputs.{name})" for name, node in last.items()
        )
        lines += statement(call, 2, before="outputs = ")
        return lines + statement(Group("outputs._replace(", changed, ")"), 2, before="return ")
    (node,) = last.values()
    name = "output" if outputs else "x"
    lines += statement(call, 2, before=f"{name} = ")
    if outputs:
        lines.append(f"{STEP * 2}x = output if isinstance(output, Tensor) else output.logits")
    return [*lines, f"{STEP * 2}x = self.{_plain(node)}(x)", f"{STEP * 2}return x"]


def _check_run(
    name: str, network: Network, arguments: Sequence[str], fields: Sequence[str], dot: str
) -> Lines:
    """The code of `--main`: random inputs through the network, printing shapes and the number of
    parameters, those of auxiliary heads apart, as in a report. `dot` replaces dots in names of
    weights."""
    if len(arguments) == 1:
        arguments = ["images"]
    inputs = [
        f"{each} = torch.randn(2, {', '.join(map(str, node.shape))})"
        for each, node in zip(arguments, network.inputs, strict=True)
    ]
    shown = [(each, f'"{each}"') for each in arguments]
    if len(arguments) == 1:
        shown = [("images", '"input"')]
    outputs = [("output", '"output"')]
    if len(network.outputs) > 1:
        outputs = [
            (f"output.{field}", f'"{field}"')
            for field, _ in zip(fields, network.outputs, strict=False)
        ]
    lines = [
        f"model = {name}().eval()",
        *inputs,
        "with torch.no_grad():",
        *statement(Group("model(", tuple(arguments), ")"), 1, before="output = "),
        *[f"print({text}, *{value}.shape)" for value, text in [*shown, *outputs]],
        "parameters = sum(weight.numel() for weight in model.parameters())",
    ]
    if network.aux:
        prefixes = [python(head.name.replace(".", dot) + dot) for head in network.aux]
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
