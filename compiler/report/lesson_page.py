"""A lesson as a page for the browser: one file, with its pictures in it."""

from __future__ import annotations

import base64
import re
from html import escape
from pathlib import Path

_STYLE = """
:root { color-scheme: light dark; }
body { font: 17px/1.55 system-ui, sans-serif; max-width: 54rem; margin: auto; padding: 1rem; }
pre { overflow: auto; padding: .8rem; border-radius: 6px; }
pre { background: light-dark(#f4f4f6, #24262b); }
code { font: 13.5px/1.45 ui-monospace, monospace; }
img { max-width: 100%; background: #fff; border-radius: 6px; }
table { border-collapse: collapse; display: block; overflow: auto; }
td, th { border-bottom: 1px solid #8884; padding: .3rem .8rem; text-align: left; }
summary { cursor: pointer; font-weight: 600; }
"""
_KINDS = {".svg": "image/svg+xml", ".webp": "image/webp"}


def lesson_page(title: str, text: str, folder: Path) -> str:
    """The page of a lesson; `folder` is what its pictures are relative to."""
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    body = markdown.render(text.replace("<details markdown>", "<details>"))
    body = re.sub(r'src="([^":]+)"', lambda each: f'src="{_embedded(folder / each[1])}"', body)
    # Other pages are not here.
    body = re.sub(r'<a href="[^":]*">(.*?)</a>', r"\1", body)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head>\n<body>{body}</body></html>\n"
    )


def _embedded(picture: Path) -> str:
    content = base64.b64encode(picture.read_bytes()).decode()
    return f"data:{_KINDS[picture.suffix]};base64,{content}"
