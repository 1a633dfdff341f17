"""The site: that its links are checked, and, where MkDocs is installed, that it is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from dotcnn.docs.site.check_links import wrong_links


def test_wrong_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/one.html").write_text(
        '<h1 id="top">1</h1><a href="../two.html#x">2</a><a href="three.html">3</a>'
        '<a href="https://example.org/">out</a><a href="#top">up</a><img src="../../../x.png">'
    )
    (tmp_path / "two.html").write_text(
        '<a href="a/one.html#top">1</a><script src="https://example.org/x.js"></script>'
        '<link rel="canonical" href="https://example.org/">'
    )
    assert list(wrong_links(tmp_path)) == [
        "a/one.html: ../two.html#x: there is no such heading",
        "a/one.html: three.html: there is no such file",
        "a/one.html: ../../../x.png: it is outside of the site",
        "two.html loads https://example.org/x.js",
    ]


@pytest.mark.slow
def test_the_site_is_whole() -> None:
    pytest.importorskip("mkdocs")
    pytest.importorskip("railroad")
    from dotcnn.docs.site.build import BUILT, main

    assert main() == 0
    texts = (path.read_text(encoding="utf-8") for path in BUILT.rglob("*.html"))
    assert not any("unpkg.com" in text for text in texts)
