"""Networks from text, for tests of the compiler."""

from __future__ import annotations

from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.diagnose.check import check
from dotcnn.compiler.network import Network, Node
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.dsl.program import GALLERY, Program, load_program
from dotcnn.dsl.source import Source


def program(text: str) -> Program:
    return load_program(Source("net.cnn", text))


def network(text: str, **options: object) -> Network:
    found = elaborate(program(text), **options)  # type: ignore[arg-type]
    found.verify()
    return found


def layers(body: str, input: str = "3x32x32", blocks: str = "") -> Network:
    """A network of these statements."""
    return network(f"{blocks}\nnetwork Net {{\ninput {input}\n{body}\n}}")


def diagnose(body: str, input: str = "3x32x32", blocks: str = "") -> list[Diagnostic]:
    text = f"{blocks}\nnetwork Net {{\ninput {input}\n{body}\n}}"
    try:
        return check(program(text))
    except SpecError as error:
        return list(error.diagnostics)


def codes(body: str, input: str = "3x32x32", blocks: str = "") -> list[str]:
    return [diagnostic.code for diagnostic in diagnose(body, input, blocks)]


def names(found: Network) -> list[str]:
    """The names of everything with weights."""
    return [node.name for node in found.nodes if node.weights]


def words(found: Network) -> list[str]:
    return [node.op.word for node in found.nodes]


def node(found: Network, name: str) -> Node:
    return found.by_name[name]


def gallery(name: str, **options: object) -> Network:
    """`gallery("resnet/resnet18")`."""
    path = GALLERY / f"{name}.cnn"
    text = path.read_text(encoding="utf-8")
    return elaborate(load_program(Source(path.name, text, path)), **options)  # type: ignore[arg-type]


def write_nothing_over(found: Network) -> None:
    """Takes back that operations work in place."""
    for node in found.nodes:
        if node.op.inplace:
            node.op = node.op.replace(inplace=False)
