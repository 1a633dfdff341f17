"""The random split into training, validation and test images."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from dotcnn.training.data.loader.packed_strings import Strings
from dotcnn.training.data.sources.split import drawn, quotas, ranked

keys = st.lists(st.text(max_size=5), unique=True, max_size=40)
shares = st.sampled_from([[0.2], [0.5], [0.1, 0.2], [0.01], [0.9]])


@given(keys, st.integers(0, 9))
def test_the_order_depends_on_names_and_seed_alone(names: list[str], seed: int) -> None:
    there = [names[place] for place in ranked(names, seed)]
    back = names[::-1]
    assert [back[place] for place in ranked(back, seed)] == there


@given(keys, shares, st.integers(0, 3), st.data())
def test_each_is_drawn_once(
    names: list[str], parts: list[float], seed: int, data: st.DataObject
) -> None:
    groups = data.draw(
        st.lists(st.integers(0, 3), min_size=len(names), max_size=len(names)) | st.none()
    )
    found = drawn(names, groups, parts, seed)
    assert len(found) == len(parts) + 1
    assert sorted(place for part in found for place in part) == list(range(len(names)))
    assert all(part.tolist() == sorted(part) for part in found)


@example([1, 6], 0.5)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.floats(0.01, 0.99))
def test_a_group_gives_its_share_and_keeps_one(sizes: list[int], share: float) -> None:
    """Rounded up or down; or one more, for groups that are too small to give theirs."""
    counts = quotas(sizes, share)
    for size, count in zip(sizes, counts, strict=True):
        assert 0 <= count <= max(0, size - 1)
        assert count - 1 <= size * share < count + 1 + 1e-9 or count == max(0, size - 1)
    wanted = max(1, round(sum(sizes) * share))
    assert sum(counts) <= max(wanted, sum(int(size * share) for size in sizes))


def test_a_file_more_moves_few_others() -> None:
    names = [f"{number}.jpg" for number in range(200)]
    before = {names[place] for place in drawn(names, None, [0.2], 0)[0]}
    more = [*names, "new.jpg"]
    after = {more[place] for place in drawn(more, None, [0.2], 0)[0]}
    assert len(before - after) <= 1


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]) | st.just("\udcff"), max_size=5)))
def test_strings_are_a_list(items: list[str]) -> None:
    found = Strings(items)
    assert list(found) == items
    assert list(found[1:]) == items[1:]
    assert [found[-1 - i] for i in range(len(items))] == items[::-1]
