"""The reference of the language: a page for each layer and form, one for each section, from the
registries that the compiler itself reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dotcnn.compiler.build.forms import SIGNATURES
from dotcnn.compiler.language.signature import Signature
from dotcnn.compiler.language.vocabulary import FORMS, SECTIONS, STATEMENTS, Form
from dotcnn.compiler.ops.base import Op
from dotcnn.compiler.ops.merge import Input
from dotcnn.compiler.plan.directive import REGISTRY as DIRECTIVES
from dotcnn.compiler.plan.directive import SERIES, Directive
from dotcnn.compiler.report.words import INPUT_OF_EXAMPLES, described, example_of, layers, tools

from .pages import Page, fenced, printed, table, usage

KINDS = {
    "conv": "Convolutions",
    "linear": "Fully connected",
    "pool": "Pooling",
    "attention": "Attention",
    "norm": "Normalization",
    "activation": "Activations",
    "dropout": "Dropout",
    "shape": "Shapes",
    "filter": "Fixed filters",
}


def pages(work: Path) -> Iterator[Page]:
    """All pages; `work` is a folder for the specs of the examples."""
    for word, statement in STATEMENTS.items():
        yield Page(f"language/{slug(word)}", word, _form(word, statement), "Statements")
    for word, form in FORMS.items():
        yield Page(f"language/{slug(word)}", word, _form(word, form), "Ways to combine layers")
    for kind in sorted(layers(), key=lambda each: list(KINDS).index(each.kind)):
        text = _layer(kind, work)
        yield Page(f"layers/{slug(kind.word)}", kind.word, text, KINDS[kind.kind])
    for section in SECTIONS:
        yield Page(f"sections/{section}", section, _section(section), "Sections")


def slug(word: str) -> str:
    return word.replace(" ", "-")


def _form(word: str, form: Form) -> str:
    signature = SIGNATURES.get(word)
    lines = [f"# `{word}`", form.meaning, usage(f"{signature or word} {form.usage}".rstrip())]
    lines += [*_arguments(signature), "## Example", fenced(form.example, "cnn")]
    return "\n\n".join(lines)


def _layer(kind: type[Op], work: Path) -> str:
    node = example_of(kind)
    spec = work / "example.cnn"
    body = (
        [kind.example, "flatten"]
        if issubclass(kind, Input)
        else [f"input {INPUT_OF_EXAMPLES}", kind.example]
    )
    text = "\n".join(["network Example {", *(f"  {line}" for line in body), "}"])
    spec.write_text(text + "\n", encoding="utf-8")
    picture = spec.with_name(f"{slug(kind.word)}.svg")
    printed("draw", str(spec), "-o", str(picture), "--horizontal", "--unfold")
    # The name in the head line and the place of the spec say nothing here.
    arithmetic = printed("explain", str(spec), node.name).split("\n\n", 1)[-1]
    signature = kind.signature()
    lines = [f"# `{kind.word}`", _paragraphs(kind.__doc__), usage(str(signature))]
    lines += _arguments(signature)
    if kind.arithmetic:
        lines += [
            "## Arithmetic",
            "C, H, W are channels, height and width of the input.",
            fenced(kind.arithmetic),
        ]
    lines += ["## Example", fenced(text, "cnn"), f"![drawing of the example]({picture.name})"]
    lines += ["`cnn explain` says of it:", fenced(arithmetic)]
    lines += ["## In other tools", table(("tool", "name"), tools(kind, node))]
    return "\n\n".join(lines)


def _section(section: str) -> str:
    lines = [f"# The section `{section}`", f"The defaults of a spec: `cnn explain FILE {section}`."]
    for title, known in (("", DIRECTIVES[section]), (" for series", SERIES.get(section, {}))):
        for kind in dict.fromkeys(known.values()):
            if kind.offered:
                lines += _directive(kind, title)
    return "\n\n".join(lines)


def _directive(kind: type[Directive], title: str) -> list[str]:
    signature = kind.signature()
    lines = [f"## `{kind.word}`{title}", _paragraphs(kind.__doc__), usage(str(signature))]
    if kind.synonyms:
        lines.append(f"Also written {', '.join(f'`{word}`' for word in kind.synonyms)}.")
    lines += _arguments(signature, heading=False)
    lines += ["Example:", fenced(f"{kind.section} {{ {kind.shown()} }}", "cnn")]
    rows = [
        (line, names.replace(" ", ", "))
        for line, names in kind.elsewhere.items()
        if line.startswith(kind.word) or kind.word.startswith(line)
    ]
    if rows:
        lines.append(table(("here", "in other tools"), rows))
    return lines


def _arguments(signature: Signature | None, *, heading: bool = True) -> list[str]:
    if signature is None or not signature.fields:
        return []
    rows = [(f"`{field.name}`", described(field)) for field in signature.fields.values()]
    return [*(["## Arguments"] if heading else []), table(("argument", "meaning"), rows)]


def _paragraphs(doc: str | None) -> str:
    return "\n\n".join(" ".join(each.split()) for each in (doc or "").strip().split("\n\n"))
