"""What must hold of any bytes that are given as a spec."""

from __future__ import annotations

import json
from itertools import pairwise

from dotcnn.dsl.diagnostics import Diagnostic, SpecError, has_errors, in_order
from dotcnn.dsl.files import decode
from dotcnn.dsl.parser import read
from dotcnn.dsl.printer import print_spec
from dotcnn.dsl.render import render_json, render_sarif, render_text
from dotcnn.dsl.source import Source, Span
from dotcnn.dsl.syntax import Spec, walk


def examine(data: bytes) -> list[Diagnostic]:
    """What is said about them, once it has been found to be sound; raises AssertionError else."""
    try:
        source = decode(data, "net.cnn")
    except SpecError as error:
        _sound_output(error.diagnostics)
        return list(error.diagnostics)
    spec, found = read(source)
    for diagnostic in found:
        _sound(diagnostic, source)
    places = [(it.code, it.span) for it in found]
    assert len(set(places)) == len(places), "said twice"
    assert found == in_order(found)
    _sound_output(found)
    for diagnostic in found:
        if diagnostic.edits:
            read(Source("net.cnn", applied(source.text, diagnostic)))
    if not has_errors(found):
        _sound_tree(spec)
    return found


def applied(text: str, diagnostic: Diagnostic) -> str:
    """The text after the edits that a diagnostic offers."""
    for edit in sorted(diagnostic.edits, key=lambda it: it.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


def _sound(diagnostic: Diagnostic, source: Source) -> None:
    size = len(source.text)
    assert diagnostic.message
    assert len(diagnostic.message) + len(diagnostic.help) < 600
    assert diagnostic.span is not None or diagnostic.code == "limit"
    spans = [label.span for label in diagnostic.labels]
    spans += [edit.span for edit in diagnostic.edits]
    for span in [*spans, diagnostic.span or Span(source, 0, 0)]:
        assert span.source is source
        assert 0 <= span.start <= span.end <= size
    edits = sorted((edit.span.start, edit.span.end) for edit in diagnostic.edits)
    for (_, end), (start, _) in pairwise(edits):
        assert end <= start, "edits overlap"


def _sound_output(found: list[Diagnostic] | tuple[Diagnostic, ...]) -> None:
    text = render_text(found, color=False, width=60, limit=100)
    assert not any(ord(char) < 32 and char != "\n" for char in text)
    assert len(json.loads(render_json(found))["diagnostics"]) == len(found)
    assert len(json.loads(render_sarif(found, "0"))["runs"][0]["results"]) == len(found)


def _sound_tree(spec: Spec) -> None:
    """Exact spans; and the formatter says the same again, in the same words ever after."""
    for node in walk(spec):
        assert 0 <= node.span.start <= node.span.end <= len(spec.source.text)
    text = print_spec(spec)
    again, found = read(Source("fmt.cnn", text))
    assert not has_errors(found), "what the formatter wrote cannot be read"
    assert again.statements == spec.statements
    assert [comment.text for comment in again.comments] == [it.text for it in spec.comments]
    assert print_spec(again) == text
