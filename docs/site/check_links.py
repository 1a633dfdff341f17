"""Checks a site that was built: links to pages, to headings, to pictures, and that no page asks
another host for anything."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src"}
"""What a browser asks for by itself."""
_NOT_LOADED = {"canonical", "next", "prev", "alternate"}
"""Of `link`, the kinds that it does not."""


class _Links(HTMLParser):
    """The links, the loaded files and the anchors of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        address = values.get(_LOADED.get(tag, ""), "")
        if address and values.get("rel") not in _NOT_LOADED:
            self.loaded.append(address)


@cache
def _read(page: Path) -> _Links:
    found = _Links()
    found.feed(page.read_text(encoding="utf-8"))
    return found


def wrong_links(site: Path) -> Iterator[str]:
    """A line for each link that leads nowhere, and each file of another host that a page loads."""
    for page in sorted(site.rglob("*.html")):
        if page.name == "404.html":  # served at any address, so its links begin at the root
            continue
        name = page.relative_to(site).as_posix()
        found = _read(page)
        for address in found.loaded:
            if urlsplit(address).netloc:
                yield f"{name} loads {address}"
        for address in (*found.links, *found.loaded):
            wrong = _leads_nowhere(site, page, address)
            if wrong:
                yield f"{name}: {address}: {wrong}"


def _leads_nowhere(site: Path, page: Path, address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return ""
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if target.is_dir():
        target /= "index.html"
    if not target.is_relative_to(site.resolve()):
        return "it is outside of the site"
    if not target.exists():
        return "there is no such file"
    anchor = unquote(parts.fragment)
    if "=" in anchor:  # `#spec=…` is a text for the playground
        return ""
    if anchor and target.suffix == ".html" and anchor not in _read(target).anchors:
        return "there is no such heading"
    return ""
