"""The page around its sections."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .css import STYLE
from .markup import Html, element, joined

# Whatever a spec or a data set may have smuggled in: nothing is run, nothing is fetched.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def document(title: str, subtitle: str, sections: Sequence[Html], foot: str) -> str:
    head = joined(
        [
            Html('<meta charset="utf-8">'),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
            element("meta", name="color-scheme", content="light dark"),
            element("title", title),
            Html(f"<style>{STYLE}</style>"),
        ]
    )
    header = element(
        "header", element("h1", title), element("p", subtitle, class_="faint"), _contents(sections)
    )
    main = element("main", joined(sections))
    body = joined([header, main, element("footer", foot)])
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>{body}</body></html>\n'


_HEADING = re.compile(r'<section id="(\w+)"[^>]*><h2 id="[^"]*">([^<]*)</h2>')


def _contents(sections: Sequence[Html]) -> Html:
    links = []
    for each in sections:
        found = _HEADING.match(each)
        assert found is not None
        links.append(element("li", element("a", Html(found[2]), href=f"#{found[1]}")))
    return element("nav", element("ul", *links), aria_label="Contents")
