"""The page's part about what a network began with."""

from __future__ import annotations

from types import SimpleNamespace

from dotcnn.training.page.initial_weights import transfer


def test_nothing_where_it_began_with_its_own() -> None:
    assert transfer(SimpleNamespace(transfer="")) is None  # type: ignore[arg-type]


def test_what_is_frozen_is_shown_and_where_weights_are_from_can_be() -> None:
    text = "part  weights\n<fc>  10\n\nweights of a&b\n\nours  theirs\n"
    found = transfer(SimpleNamespace(transfer=text))  # type: ignore[arg-type]
    assert found is not None
    shown, _, hidden = found.partition("<details>")
    assert "part  weights\n&lt;fc&gt;  10" in shown
    assert "weights of a&amp;b" in hidden
    assert "weights of" not in shown
