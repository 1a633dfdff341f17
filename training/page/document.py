"""Puts the sections of the report into one HTML document."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256

from .css import STYLE
from .markup import Html, element, joined

# If a spec or a data set smuggles in HTML after all, no other script runs and nothing is fetched.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def document(
    title: str,
    subtitle: str,
    sections: Sequence[Html],
    foot: str,
    *,
    style: str = "",
    script: str = "",
) -> str:
    """`style` and `script` are what a page has beside the style sheet of all."""
    policy = _POLICY
    if script:
        mark = b64encode(sha256(script.encode()).digest()).decode()
        policy += f"; script-src 'sha256-{mark}'"
    head = joined(
        [
            Html('<meta charset="utf-8">'),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", http_equiv="Content-Security-Policy", content=policy),
            element("meta", name="color-scheme", content="light dark"),
            element("title", title),
            Html(f"<style>{STYLE}{style}</style>"),
        ]
    )
    header = element(
        "header", element("h1", title), element("p", subtitle, class_="faint"), _contents(sections)
    )
    main = element("main", joined(sections))
    end = [Html(f"<script>{script}</script>")] if script else []
    body = joined([header, main, element("footer", foot), *end])
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>{body}</body></html>\n'


_HEADING = re.compile(r'<section id="(\w+)"[^>]*><h2 id="[^"]*">([^<]*)</h2>')


def _contents(sections: Sequence[Html]) -> Html:
    links = []
    for each in sections:
        heading = _HEADING.match(each)
        assert heading is not None
        links.append(element("li", element("a", Html(heading[2]), href=f"#{heading[1]}")))
    return element("nav", element("ul", *links), aria_label="Contents")
