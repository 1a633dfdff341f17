"""docs/guide/from-*.md: what the words of other tools are here."""

from __future__ import annotations

from pathlib import Path

import pytest

from dotcnn.docs.site.words_of_tools import WORDS, filled, unanswered

GUIDE = Path(__file__).parent.parent / "docs/guide"
PAGES = sorted(GUIDE.glob("from-*.md"))


def test_each_tool_has_a_page() -> None:
    assert [page.stem.removeprefix("from-") for page in PAGES] == sorted(WORDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_tables_are_those_of_the_registries(page: Path, request: pytest.FixtureRequest) -> None:
    text = page.read_text(encoding="utf-8")
    if request.config.getoption("--update-golden"):
        page.write_text(filled(text), encoding="utf-8")
    tool = page.stem.removeprefix("from-")
    assert [group for group in WORDS[tool] if f"<!-- words: {tool} {group} -->" not in text] == []
    assert filled(page.read_text(encoding="utf-8")) == page.read_text(encoding="utf-8")


def test_every_word_has_an_answer() -> None:
    assert list(unanswered()) == []
