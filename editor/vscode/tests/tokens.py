"""The tokens of the gallery as the language's own lexer has them, as JSON: one text a line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import dotcnn
from dotcnn.dsl.lexer import lex
from dotcnn.dsl.source import Source

for path in sorted((Path(dotcnn.__file__).parent / "specs").rglob("*.cnn")):
    text = path.read_text(encoding="utf-8")
    lexed = lex(Source(path.name, text))
    tokens = [list(each) for each in zip(lexed.types, lexed.starts, lexed.ends, strict=True)]
    tokens += [["COMMENT", each.span.start, each.span.end] for each in lexed.comments]
    sys.stdout.write(json.dumps({"name": path.stem, "text": text, "tokens": tokens}) + "\n")
