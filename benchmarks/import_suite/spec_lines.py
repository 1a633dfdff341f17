"""How many lines the spec of a network has, with the blocks that it uses and no others."""

from __future__ import annotations

import re
from functools import cache

from dotcnn.benchmarks.import_suite.table import lines
from dotcnn.dsl.files import read_file
from dotcnn.dsl.program import GALLERY, load_program
from dotcnn.dsl.syntax import Block, Import, Node


@cache
def spec_lines(name: str) -> int:
    """0 if the gallery has no such spec."""
    found = sorted(GALLERY.rglob(f"{name}.cnn"))
    if not found:
        return 0
    program = load_program(read_file(found[0]))
    blocks: dict[str, str] = {}
    for spec in program.files:
        for statement in spec.statements:
            if isinstance(statement, Block):
                blocks[statement.name.value] = _text(statement)
    others = [each for each in program.main.statements if not isinstance(each, (Block, Import))]
    text = "\n".join(_text(each) for each in others)
    total = lines(text)
    taken: set[str] = set()
    stack = [text]
    while stack:
        for word in re.findall(r"\w+", stack.pop()):
            if word in blocks and word not in taken:
                taken.add(word)
                total += lines(blocks[word])
                stack.append(blocks[word])
    return total


def _text(node: Node) -> str:
    return node.span.text
