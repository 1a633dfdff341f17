"""`cnn help WORD`: explains a word of the language: arguments, arithmetic, an example. Everything
comes from the registries of layers, forms and directives; the figures of an example are computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from math import prod
from typing import NamedTuple

from ...dsl.closest import closest
from ...dsl.program import load_program
from ...dsl.source import Source
from ..build.elaborate import elaborate
from ..build.forms import SIGNATURES
from ..diagnose.foreign_words import meanings
from ..language import foreign
from ..language.signature import Field, Signature
from ..language.vocabulary import FORMS, SECTIONS, STATEMENTS, Form
from ..language.words_in_force import words_in_force
from ..network import Node
from ..ops import REGISTRY
from ..ops.base import Op
from ..ops.merge import Input
from ..plan.directive import REGISTRY as DIRECTIVES
from ..plan.directive import SERIES, Directive
from ..shapes import text
from .figures import exact
from .style import BOLD, Style, laid_out, wrapped

_TIED = "\u00a0"
"""Joins the words of one name, so that no line breaks there."""

INPUT_OF_EXAMPLES = "16x32x32"
"""The input of the examples in `cnn help`."""


class Unknown(Exception):
    """The word is not in the language."""


class Answer(NamedTuple):
    text: str
    remark: str = ""
    """A note that the word is from another tool."""


# ---- all words ---------------------------------------------------------------------------------


def words() -> list[str]:
    """All words that can be explained."""
    directives = [word for section in SECTIONS for word in _offered(section)]
    directives += [word for section in SECTIONS for word in SERIES.get(section, ())]
    own = [*words_in_force().metrics, *words_in_force().callbacks]
    return list(dict.fromkeys([*STATEMENTS, *FORMS, *REGISTRY, *SECTIONS, *directives, *own]))


def layers() -> list[type[Op]]:
    """All layers, without those that are forms."""
    return [kind for word, kind in REGISTRY.items() if word not in FORMS]


def _offered(section: str) -> list[str]:
    """The directives of a section that a spec can write."""
    return [word for word, kind in DIRECTIVES[section].items() if kind.offered]


def overview(style: Style) -> str:
    """The list of all words, by kind."""
    groups: dict[str, Iterable[str]] = {
        "statements": STATEMENTS,
        "ways to combine layers": FORMS,
    }
    by_kind = [(kind.kind, kind.word) for kind in layers()]
    titles = {"conv": "convolutions", "linear": "fully connected", "pool": "pooling",
              "attention": "attention",
              "norm": "normalization", "activation": "activations", "dropout": "dropout",
              "shape": "shapes", "filter": "fixed filters"}  # fmt: skip
    for kind, members in groupby(sorted(by_kind, key=lambda each: _place(each[0], titles)), _first):
        groups[titles.get(kind, kind)] = [word for _, word in members]
    for section in SECTIONS:
        groups[f"`{section}` section"] = _offered(section)
        if section in SERIES:
            groups[f"`{section}`, for series"] = SERIES[section]
    rows = [(title, ", ".join(each.replace(" ", _TIED) for each in group))
            for title, group in groups.items()]  # fmt: skip
    lines = "\n".join(laid_out(rows, style, "")).replace(_TIED, " ")
    return f"{lines}\n\n`cnn help WORD` explains one, like `cnn help pool max`."


def _place(kind: str, titles: Mapping[str, str]) -> int:
    return list(titles).index(kind) if kind in titles else len(titles)


def _first(pair: tuple[str, str]) -> str:
    return pair[0]


# ---- one word ----------------------------------------------------------------------------------


def explain(word: str, style: Style) -> Answer:
    """Explains a word, also one of another tool; raises Unknown."""
    paragraphs = list(_meanings(word, style))
    if paragraphs:
        return Answer("\n\n\n".join(paragraphs))
    several = [each for each in words() if each.startswith(f"{word} ")]
    if several:
        return Answer(_listed(several, style))
    arguments = _as_argument(word)
    if arguments:
        return Answer("\n".join(laid_out(arguments, style, "")), f"`{word}` is an argument")
    for where, ours, advice in meanings(word):
        if where == "argument":
            raise Unknown(
                f"`{word}` is not a word of the language: as an argument, "
                + (f"it is written `{ours}`" if ours else advice)
            )
        if ours:
            paragraphs = list(_meanings(_known(ours), style, where.removeprefix("network")))
            return Answer("\n\n\n".join(paragraphs), f"`{word}` is written `{ours}` in a spec")
        raise Unknown(f"`{word}` is not a word of the language: {advice}")
    close = closest(word, [*words(), *foreign.known_layers()])
    help = f"did you mean `{close}`?" if close else "`cnn help` lists all words"
    raise Unknown(f"`{word}` is not a word of the language; {help}")


def _as_argument(name: str) -> list[tuple[str, str]]:
    """The words that have an argument of this name, and what it means there."""
    directives = [kind for section in SECTIONS for kind in DIRECTIVES[section].values()]
    signatures = {kind.word: kind.signature() for kind in (*REGISTRY.values(), *directives)}
    of_series = [kind for kinds in SERIES.values() for kind in kinds.values()]
    signatures |= {f"{kind.word}, for series": kind.signature() for kind in of_series}
    return [
        (word, described(signature.fields[name]))
        for word, signature in (SIGNATURES | signatures).items()
        if name in signature.fields
    ]


def _known(line: str) -> str:
    """The word at the beginning of a line: `pool avg` of `pool avg global`."""
    parts = line.split(" ")
    return next(
        (known for n in range(len(parts), 0, -1) if (known := " ".join(parts[:n])) in words()),
        parts[0],
    )


def _meanings(word: str, style: Style, only: str = "") -> Iterator[str]:
    """All meanings: `crop` is a layer and a directive; `only` restricts them to one section."""
    if not only:
        yield from _outside_sections(word, style)
    for section in SECTIONS:
        for known in (DIRECTIVES, SERIES):
            kind = known.get(section, {}).get(word)
            if kind is not None and only in ("", section):
                yield _directive(kind, style)
    metric = words_in_force().metrics.get(word)
    if metric is not None and not only:
        usage = f"metrics loss {word}"
        yield _head(f"{word}: a metric", usage, (metric.__doc__ or metric.title).strip(), style)
    callback = words_in_force().callbacks.get(word)
    if callback is not None and not only:
        doc = (callback.__doc__ or "A callback of training.").strip()
        yield _head(f"{word}: a callback", f"log {word}", doc, style)


def _outside_sections(word: str, style: Style) -> Iterator[str]:
    if word in SECTIONS:
        yield _section(word, style)
    if word in STATEMENTS:
        yield _form("a statement", word, STATEMENTS[word], style)
    if word in FORMS:
        yield _form("a form", word, FORMS[word], style)
    elif word in REGISTRY:
        yield _layer(word, REGISTRY[word], style)


def _section(section: str, style: Style) -> str:
    directives = dict.fromkeys(DIRECTIVES[section].values())
    rows = [(kind.word, kind.doc()) for kind in directives]
    lines = [
        style.paint(f"{section}: a section of a file", BOLD),
        "",
        f"  {section} {{ … }}",
        "",
        *laid_out(rows, style),
    ]
    if section in SERIES:
        of_series = dict.fromkeys(SERIES[section].values())
        rows = [(kind.word, kind.doc()) for kind in of_series]
        lines += ["", "for series:", "", *laid_out(rows, style)]
    return "\n".join(lines)


def _listed(words: Iterable[str], style: Style) -> str:
    rows = []
    for word in words:
        kinds: list[type[Op] | type[Directive]] = [REGISTRY[word]] if word in REGISTRY else []
        kinds += [DIRECTIVES[section][word] for section in SECTIONS if word in DIRECTIVES[section]]
        rows += [(word, _sentence(kind.__doc__)) for kind in kinds]
    return "\n".join(laid_out(rows, style, ""))


def _sentence(doc: str | None) -> str:
    return " ".join((doc or "").split("\n\n")[0].split())


def _form(kind: str, word: str, form: Form, style: Style) -> str:
    signature = SIGNATURES.get(word)
    head = f"{signature or word} {form.usage}".rstrip()
    parts = [_head(f"{word}: {kind}", head, form.meaning, style)]
    if word in REGISTRY and signature is None and not form.usage:
        signature = REGISTRY[word].signature()
        parts = [_head(f"{word}: {kind}", str(signature), form.meaning, style)]
    parts += _arguments(signature, style)
    if word in REGISTRY:
        parts += _arithmetic(REGISTRY[word], style)
    return "\n\n".join([*parts, _titled("example", [f"  {form.example}"], style)])


def _layer(word: str, kind: type[Op], style: Style) -> str:
    signature = kind.signature()
    node = example_of(kind)
    lines = [f"  {kind.example}", ""]
    lines += laid_out([("input", " and ".join(map(text, node.input_shapes))),
                       ("output", text(node.shape)), *_worked(node)], style, "    ")  # fmt: skip
    parts = [
        _head(f"{word}: a layer", str(signature), (kind.__doc__ or "").strip(), style),
        *_arguments(signature, style),
        *_arithmetic(kind, style),
        _titled("example", lines, style),
        _titled("other tools", laid_out(list(tools(kind, node)), style), style),
    ]
    return "\n\n".join(parts)


def example_of(kind: type[Op]) -> Node:
    """The layer in its example."""
    body = (
        f"{kind.example}, flatten"
        if issubclass(kind, Input)
        else f"input {INPUT_OF_EXAMPLES}, {kind.example}"
    )
    owner = words_in_force().owners.get(kind.word)
    use = f'use "{owner}"\n' if owner else ""
    source = Source("<example>", f"{use}network Example {{ {body} }}")
    network = elaborate(load_program(source))
    return [node for node in network.nodes if type(node.op) is kind][-1]


def _worked(node: Node) -> Iterator[tuple[str, str]]:
    lines = node.op.explain(node.shape, *node.input_shapes)
    yield from lines
    explained = {name for name, _ in lines}
    weights = node.op.weights(*node.input_shapes)
    if weights and "parameters" not in explained:
        cost = sum(prod(weight.shape) for weight in weights if weight.trainable)
        yield "parameters", exact(cost)
    macs = node.op.macs(node.shape, *node.input_shapes)
    if macs and "multiply-adds" not in explained:
        yield "multiply-adds", exact(macs)


def tools(kind: type[Op], node: Node) -> Iterator[tuple[str, str]]:
    torch = node.op.torch(node.shape, *node.input_shapes)
    inputs = ["x", "y", "z"]
    yield "PyTorch", str(torch.module) if torch.module else torch.call.format(*inputs, m="")
    named: dict[str, list[str]] = {}
    for each in filter(None, vars(kind).get("called", "").split(", ")):
        tool, name = each.split(" ")
        named.setdefault(tool, []).append(name)
    for tool, names in named.items():
        yield tool, ", ".join(names)
    known = {name for names in named.values() for name in names}
    others = dict.fromkeys(name for name, _ in foreign.names_of(kind) if name not in known)
    if others:
        yield "also known as", ", ".join(others)


def _directive(kind: type[Directive], style: Style) -> str:
    signature = kind.signature()
    samples = ", for series" if kind.of_series else ""
    parts = [
        _head(
            f"{kind.word}: a directive of `{kind.section}`{samples}",
            str(signature),
            (kind.__doc__ or "").strip(),
            style,
        ),
        *_arguments(signature, style),
        _titled("example", [f"  {kind.section} {{ {kind.shown()} }}"], style),
    ]
    rows = [
        (line, ", ".join(names.split()))
        for line, names in kind.elsewhere.items()
        if line.startswith(kind.word) or kind.word.startswith(line)
    ]
    if rows:
        parts.append(_titled("in other tools", laid_out(rows, style), style))
    return "\n\n".join(parts)


# ---- parts -------------------------------------------------------------------------------------


def _head(title: str, signature: str, doc: str, style: Style) -> str:
    lines = [style.paint(title, BOLD), "", *wrapped(signature, style, "  ", code=""), ""]
    for paragraph in doc.split("\n\n"):
        lines += [*wrapped(" ".join(paragraph.split()), style, code=""), ""]
    return "\n".join(lines[:-1])


def _titled(title: str, lines: list[str], style: Style) -> str:
    return "\n".join([style.paint(f"{title}:", BOLD), *lines])


def _arguments(signature: Signature | None, style: Style) -> list[str]:
    if signature is None or not signature.fields:
        return []
    rows = [(field.name, described(field)) for field in signature.fields.values()]
    return [_titled("arguments", laid_out(rows, style), style)]


def described(field: Field) -> str:
    if field.is_flag:
        if field.expects == "`on` or `off`":
            return f"{field.doc} (a bare word, or a choice: `{field.name}=on`, `=off`, `=(i == 0)`)"
        return f"{field.doc} (written as a bare word)"
    facts = [field.expects] if field.expects else []
    if field.required:
        facts.append("required")
    elif field.default is not None:
        facts.append(f"default: {Signature.default(field)}")
    return f"{field.doc} ({'; '.join(facts)})" if facts else field.doc


def _arithmetic(kind: type[Op], style: Style) -> list[str]:
    if not kind.arithmetic:
        return []
    title = "arithmetic (C, H, W: channels, height and width of the input)"
    formulas = kind.arithmetic.split("\n")
    lines = [line for each in formulas for line in wrapped(each, style, "  ", code="")]
    return [_titled(title, lines, style)]
