"""Colors of texts outside of our own tools: the gallery, token by token."""

from __future__ import annotations

import pytest
from pygments.token import Comment, Error, Keyword, Name, Number, String, Text

from dotcnn.dsl.lexer import lex
from dotcnn.dsl.source import Source
from dotcnn.editor.pygments_lexer import CnnLexer
from support import ROOT

GALLERY = sorted((ROOT / "specs").rglob("*.cnn"))


def test_pygments_colors_the_gallery_as_the_language_reads_it() -> None:
    assert len(GALLERY) > 200
    for path in GALLERY:
        text = path.read_text(encoding="utf-8")
        found = list(CnnLexer().get_tokens_unprocessed(text))
        assert "".join(part for _, _, part in found) == text, path
        assert not [part for _, kind, part in found if kind in (Error, Text)], path
        lexed = lex(Source(path.name, text))
        starts = {start for start, _, _ in found}
        assert starts >= {
            s for s, k in zip(lexed.starts, lexed.types, strict=True) if k != "NEWLINE"
        }


@pytest.mark.parametrize(
    ("word", "kind"),
    [("# a", Comment.Single), ("block", Keyword), ("unit", Name.Class), ("stem", Name.Label),
     ("conv", Name.Function), ("residual", Keyword.Declaration), ("stride", Name.Attribute),
     ("3x3", Number), ('"b.cnn"', String.Double), ("max", Name.Builtin), ("off", Keyword.Constant),
     ("same", Name.Variable), ("train", Keyword.Declaration)],
)  # fmt: skip
def test_words(word: str, kind: object) -> None:
    text = (
        'import "b.cnn"  # a\nblock unit(w) { stem: conv max(8, w) 3x3 stride=2 same bias=off\n'
        "residual { relu } }\ntrain { epochs 3 }\n"
    )
    found = {part: kind for _, kind, part in CnnLexer().get_tokens_unprocessed(text)}
    assert found[word] is kind


@pytest.mark.parametrize("text", ["", "\x00", '"', "{{{", "conv 64 3x", "🙂 é", "a = b = c ]]"])
def test_any_text_is_colored_whole(text: str) -> None:
    found = list(CnnLexer().get_tokens_unprocessed(text))
    assert "".join(part for _, _, part in found) == text
