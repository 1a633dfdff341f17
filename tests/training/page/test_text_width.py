"""Names in charts are cut to the room they have, by their width, not by their letters."""

from __future__ import annotations

from dotcnn.training.page.text_width import cut_to_width, text_width


def test_names_that_differ_at_their_end_still_differ() -> None:
    names = ["experiment-with-rate-0.1", "experiment-with-rate-0.2"]
    first, second = (cut_to_width(name, 12, 150) for name in names)
    assert first != second
    assert first.endswith("0.1")


def test_wide_letters_need_more_room() -> None:
    for name in ("MMMMMMMMMMMMMMMM", "日本語の実験その一二三四五六", "a" * 300):
        short = cut_to_width(name, 12, 150)
        assert "…" in short
        assert text_width(short, 12) <= 150
    assert cut_to_width("wide-1", 12, 150) == "wide-1"
    assert cut_to_width("MM", 12, 5) == "…"
