"""Builds HTML elements and tables; text from specs, data and files is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape as _escape

from ...dsl.printable import show


def escape(text: str) -> str:
    """Text for use between tags or in quotes: on one line, with invisible characters made
    visible."""
    return _escape(show(text))


class Html(str):
    """Finished HTML, which must not be escaped again."""

    __slots__ = ()


def safe(content: str) -> str:
    """Escapes text, but not finished HTML."""
    return content if isinstance(content, Html) else escape(content)


def element(tag: str, *contents: str, **attributes: str | None) -> Html:
    """`element("p", text, class_="note")`; an underscore inside a name becomes a hyphen."""
    written = "".join(
        f' {name.removesuffix("_").replace("_", "-")}="{escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _EMPTY:
        return Html(f"<{tag}{written}>")
    return Html(f"<{tag}{written}>{''.join(map(safe, contents))}</{tag}>")


_EMPTY = ("br", "img", "meta")


def joined(parts: Iterable[str]) -> Html:
    return Html("\n".join(map(safe, parts)))


def table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers_from: int = 1,
) -> Html:
    """A table that scrolls on a narrow screen; columns from `numbers_from` on are right-aligned."""

    def cell(place: int, content: str, scope: str | None) -> Html:
        css = "number" if place >= numbers_from else None
        return element("th" if scope else "td", content, class_=css, scope=scope)

    def line(row: Sequence[str], first: str, others: str | None) -> Html:
        cells = (cell(n, each, others if n else first) for n, each in enumerate(row))
        return element("tr", *cells)

    body = [line(row, "row", None) for row in rows]
    return scrolling(
        caption,
        element(
            "table",
            element("caption", caption, class_="hidden"),
            element("thead", line(head, "col", "col")),
            element("tbody", joined(body)),
        ),
    )


def scrolling(label: str, content: Html) -> Html:
    """Content that can be wider than the screen, and scrolls with the keyboard too."""
    return element("div", content, class_="wide", role="region", aria_label=label, tabindex="0")


def details(summary: str, *contents: str) -> Html:
    return element("details", element("summary", summary), *contents)


def enlargeable(mark: str, label: str, content: Html, opened: Html) -> Html:
    """Content that opens something larger when it is clicked, and closes with Esc or a click
    elsewhere. Browsers do that without a script."""
    button = element(
        "button", content, type="button", class_="enlarge", popovertarget=mark, aria_label=label
    )
    close = element(
        "button", "Close", type="button", class_="close", popovertarget=mark,
        popovertargetaction="hide",
    )  # fmt: skip
    large = element("div", opened, close, id=mark, class_="large", popover="auto")
    return Html(f"{button}{large}")


def section(name: str, title: str, *contents: str) -> Html:
    heading = element("h2", title, id=f"{name}-title")
    return element("section", heading, joined(contents), id=name, aria_labelledby=f"{name}-title")
