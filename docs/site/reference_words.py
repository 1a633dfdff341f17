"""The reference of the language: a page for each statement and form, one for each section, from the
registries that the compiler itself reads. (Layers: reference_layers.py.)"""

from __future__ import annotations

from collections.abc import Iterator

from dotcnn.compiler.build.forms import SIGNATURES
from dotcnn.compiler.language.vocabulary import FORMS, SECTIONS, STATEMENTS, Form
from dotcnn.compiler.plan.directive import REGISTRY as DIRECTIVES
from dotcnn.compiler.plan.directive import SERIES, Directive

from .pages import Page, arguments, fenced, paragraphs, slug, table, usage


def pages() -> Iterator[Page]:
    for word, statement in STATEMENTS.items():
        yield Page(f"language/{slug(word)}", word, _form(word, statement), "Statements")
    for word, form in FORMS.items():
        yield Page(f"language/{slug(word)}", word, _form(word, form), "Ways to combine layers")
    for section in SECTIONS:
        yield Page(f"sections/{section}", section, _section(section), "Sections")


def _form(word: str, form: Form) -> str:
    signature = SIGNATURES.get(word)
    lines = [f"# `{word}`", form.meaning, usage(f"{signature or word} {form.usage}".rstrip())]
    lines += [*arguments(signature), "## Example", fenced(form.example, "cnn")]
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
    lines = [f"## `{kind.word}`{title}", paragraphs(kind.__doc__), usage(str(signature))]
    if kind.synonyms:
        lines.append(f"Also written {', '.join(f'`{word}`' for word in kind.synonyms)}.")
    lines += arguments(signature, heading=False)
    lines += ["Example:", fenced(f"{kind.section} {{ {kind.shown()} }}", "cnn")]
    rows = [
        (line, names.replace(" ", ", "))
        for line, names in kind.elsewhere.items()
        if line.startswith(kind.word) or kind.word.startswith(line)
    ]
    if rows:
        lines.append(table(("here", "in other tools"), rows))
    return lines
