"""The grammar as railroad diagrams, read from the file that the parser is made from."""

from __future__ import annotations

import io
from collections.abc import Iterator

import railroad
from lark import Lark, Token, Tree

from dotcnn.dsl.tables import GRAMMAR

from .pages import Page

_READABLE = {"_NEWLINE": "new line", "_TO": "..", "_AT": "["}


def pages() -> Iterator[Page]:
    parser = Lark.open_from_package("lark", "lark.lark", ("grammars",), parser="lalr")
    tree = parser.parse(GRAMMAR.read_text(encoding="utf-8"))
    lines = [
        "# Grammar",
        "What a file may look like. What a word means, a layer, a block, a directive, is not a"
        " question of grammar: all of them are a `call`.",
    ]
    literals = dict(_literals(tree))
    for rule in tree.find_data("rule"):
        name, body = _name(rule), rule.children[-1]
        lines += [f"## {name}", f'<div class="railroad">{_svg(_item(body, literals))}</div>']
    yield Page("grammar", "Grammar", "\n\n".join(lines), "Language")


def _literals(tree: Tree[Token]) -> Iterator[tuple[str, str]]:
    """Terminals that stand for one spelling: `AND` for `and`."""
    for terminal in tree.find_data("token"):
        values = [str(each) for each in terminal.scan_values(lambda each: _is(each, "STRING"))]
        if len(values) == 1:
            yield str(terminal.children[0]), values[0].strip('"')


def _name(rule: Tree[Token]) -> str:
    return str(next(rule.scan_values(lambda each: _is(each, "RULE")))).lstrip("?_!")


def _svg(item: object) -> str:
    text = io.StringIO()
    railroad.Diagram(item, type="complex").writeStandalone(text.write)
    # One line: Markdown would read an empty one as the end of the picture.
    return "".join(line.strip() for line in text.getvalue().splitlines())


def _item(node: Tree[Token] | Token, literals: dict[str, str]) -> object:
    if isinstance(node, Token):
        return _token(node, literals)
    kind, children = node.data, [each for each in node.children if each is not None]
    if kind in ("expansions", "template_params") and len(children) > 1:
        return railroad.Choice(0, *(_item(each, literals) for each in children))
    if kind == "maybe":
        return railroad.Optional(_item(children[0], literals))
    if kind == "expr" and len(children) > 1:
        inner, sign = _item(children[0], literals), str(children[1])
        wrap = {"?": railroad.Optional, "*": railroad.ZeroOrMore, "+": railroad.OneOrMore}[sign]
        return wrap(inner)
    if kind == "alias":
        return _item(children[0], literals)
    items = [_item(each, literals) for each in children]
    return items[0] if len(items) == 1 else railroad.Sequence(*items)


def _token(token: Token, literals: dict[str, str]) -> object:
    if token.type == "STRING":
        return railroad.Terminal(str(token).strip('"'))
    if token.type == "RULE":
        return railroad.NonTerminal(str(token).lstrip("?_"))
    name = _READABLE.get(str(token)) or literals.get(str(token))
    return railroad.Terminal(name) if name else railroad.NonTerminal(str(token))


def _is(leaf: object, kind: str) -> bool:
    return isinstance(leaf, Token) and leaf.type == kind
