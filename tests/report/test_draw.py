"""What stands in a drawing: boxes and frames, what is folded, the figures in the boxes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dotcnn.compiler.report.drawing.dot import dot
from dotcnn.compiler.report.drawing.formats import draw
from dotcnn.compiler.report.drawing.mermaid import mermaid
from dotcnn.compiler.report.drawing.paint import TooLarge
from dotcnn.compiler.report.drawing.picture import Picture
from networks import network

from .drawn import body, of
from .examples import ALL, DENSE, INCEPTION, LENET, RESIDUAL, UNET, analysed

Golden = Callable[[str, str], None]


def texts(drawn: Picture) -> list[str]:
    """The boxes, as one reads them; x3 where they stand for several."""
    return [
        " / ".join(line for line, _ in box.lines()) + (f" x{box.count}" if box.count > 1 else "")
        for box in drawn.boxes
    ]


def frames(drawn: Picture) -> list[tuple[str, int]]:
    return [(frame.title, frame.count) for frame in drawn.frames]


@pytest.mark.parametrize("name", ALL)
def test_as_text(name: str, golden: Golden) -> None:
    golden(f"report/{name}.dot", dot(of(ALL[name])) + "\n")
    golden(f"report/{name}.mermaid", mermaid(of(ALL[name])) + "\n")


def test_what_follows_a_layer_stands_in_its_box() -> None:
    assert texts(of(LENET)) == [
        "input 1x32x32",
        "conv 6 5x5 / tanh",
        "pool avg 2x2",
        "conv 16 5x5 / tanh",
        "pool avg 2x2 / flatten",
        "fc 120 / tanh",
        "fc 84 / tanh",
        "fc 10",
        "output",
    ]


def test_a_norm_that_comes_first_stands_before_its_layer() -> None:
    assert "bn · relu / conv 8 3x3 same" in texts(of(DENSE))


def test_rounds_alike_are_drawn_once() -> None:
    assert frames(of(RESIDUAL)) == [
        ("layer1.0..2: basic 16", 3),
        ("layer2", 1),
        ("0: basic 32 stride=2", 1),
        ("1..3: basic 32", 3),
    ]


def test_a_block_of_one_box_needs_no_frame() -> None:
    assert "conv 16 1x1 same / bn · relu" in texts(of(INCEPTION))
    assert not any(title.startswith("unit") for title, _ in frames(of(INCEPTION)))


def test_layers_alike_without_a_block_are_folded_too() -> None:
    drawn = of(body("conv 8 3x3 same, relu, conv 8 3x3 same, relu, conv 8 3x3 same, relu"))
    assert texts(drawn)[1] == "conv 8 3x3 same / relu x3"


def test_rounds_that_grow_say_from_where_to_where() -> None:
    drawn = of(DENSE)
    concat = next(box for box in drawn.boxes if box.kind == "merge")
    assert concat.output == "24..56x32x32"
    assert [count for _, count in frames(drawn)] == [5]


def test_rounds_that_drop_more_and_more_are_alike_to_the_eye() -> None:
    blocks = "block b(p) { residual { conv 8 3x3 same, droppath p } }"
    drawn = of(body("conv 8 1x1\nrepeat 3 as i { b (i + 1)/10 }", blocks))
    assert [count for _, count in frames(drawn)] == [3]
    assert "conv 8 3x3 same / droppath 0.1..0.3" in texts(drawn)


@pytest.mark.parametrize("depth", [None, 2])
def test_arguments_that_differ_between_rounds_stand_in_the_title(depth: int | None) -> None:
    block = "block unit(p) { conv 32 3x3 same, droppath p\n conv 32 3x3 same }"
    drawn = of(body("s: repeat 3 as i { unit 0.1*i }", block), max_depth=depth)
    title = drawn.boxes[1].lines()[1][0] if depth else frames(drawn)[0][0]
    assert "unit 0..0.2" in title


def test_equal_loops_are_folded_as_a_whole() -> None:
    loop = "repeat 3 { conv 8 3x3 same, relu }"
    drawn = of(body(f"conv 8 1x1\n{loop}\npool max 2x2\n{loop}\npool max 2x2"))
    assert texts(drawn)[2:4] == ["conv 8 3x3 same / relu x3", "pool max 2x2"]
    assert [count for _, count in frames(drawn)] == [2]
    drawn = of(body(f"conv 8 1x1\n{loop}\n{loop}"))
    assert texts(drawn)[2] == "conv 8 3x3 same / relu x6"


def test_what_somebody_else_uses_is_not_folded_away() -> None:
    """A shortcut from the second of three equal layers: they cannot stand for one another."""
    drawn = of(body("conv 8 3x3 same\na: conv 8 3x3 same\nconv 8 3x3 same\nadd a"))
    assert not any(box.count > 1 for box in drawn.boxes)


def test_labels_are_shown() -> None:
    assert "high: / conv 8 3x3 same / relu x2" in texts(of(UNET))


def test_unfolded_every_layer_has_a_box() -> None:
    for text in ALL.values():
        drawn = of(text, unfold=True)
        nodes = [node for box in drawn.boxes for node in box.nodes]
        assert [len(box.nodes) for box in drawn.boxes] == [1] * len(nodes) + [0]
        assert len(nodes) == len(set(nodes)) == len(network(text).nodes)


@pytest.mark.parametrize("name", ALL)
def test_folded_nothing_is_lost(name: str) -> None:
    """Counts included, the boxes stand for all layers; `count` of a frame multiplies its inside."""
    drawn = of(ALL[name])
    total = 0
    for box in drawn.boxes:
        times = box.count
        frame = box.frame
        while frame.parent is not None:
            times *= frame.count
            frame = frame.parent
        total += times * len(box.nodes)
    assert total == len(network(ALL[name]).nodes)


def test_a_closed_part_is_one_box() -> None:
    drawn = of(RESIDUAL, max_depth=2)
    assert "layer2.1..3 / basic 32, 7 layers x3" in texts(drawn)
    assert "layer2.0 / basic 32 stride=2, 9 layers" in texts(drawn)
    assert "layer1.0..2 / basic 16, 7 layers x3" in texts(drawn)


def test_arrows_unfolded_are_the_connections() -> None:
    drawn = of(UNET, unfold=True)
    found = network(UNET)
    arrows = {
        (arrow.source.nodes[0].name, arrow.target.nodes[0].name)
        for arrow in drawn.arrows
        if arrow.target.nodes
    }
    assert arrows == {(s.name, node.name) for node in found.nodes for s in node.inputs}


def test_more_boxes_than_anybody_could_look_at() -> None:
    text = body("repeat 2000 { conv 4 3x3 same, relu }")
    with pytest.raises(TooLarge):
        of(text, unfold=True)
    assert len(of(text).boxes) == 3


# ---- figures in the boxes --------------------------------------------------------------------


def test_figures_stand_in_the_boxes() -> None:
    drawn = of(LENET, figures=["params", "macs", "memory", "field"])
    first = next(box for box in drawn.boxes if box.kind == "conv")
    # 6 filters of 5x5 with bias; 6x28x28 outputs of the convolution and of tanh, four bytes each.
    assert first.figures == ["156 params · 118k MACs", "outputs 36.8 KiB · sees 5"]
    assert ("156 params · 118k MACs", False) in first.lines()
    assert not drawn.boxes[0].figures
    assert b"118k MACs" in draw(analysed(LENET), "svg", figures=["macs"])


SHARED = """
block tower(width) {
  conv width 3x3 same, relu
  conv width 3x3 same, relu
}

network Net {
  input left 3x8x8
  input right 3x8x8
  from left
  one: tower 4
  from right
  other: share one
  concat one other
  unit: conv 8 3x3 same
  repeat 3 { share unit }
  conv 2 1x1
}
"""


def test_what_is_shared_is_one_box_that_says_so() -> None:
    drawn = of(SHARED)
    assert "other: / share one / 4 layers, the same weights" in texts(drawn)
    assert "conv 8 3x3 same / weights of unit x3" in texts(drawn)
    assert {"".join(t.split(" / ")[-1:]) for t, box in zip(texts(drawn), drawn.boxes, strict=True)
            if box.dashed} == {"4 layers, the same weights", "weights of unit x3"}  # fmt: skip
    assert "stroke-dasharray" in mermaid(drawn)


def test_what_is_shared_unfolds_under_a_title_of_its_own() -> None:
    drawn = of(SHARED, unfold=True)
    titles = [title for title, _ in frames(drawn)]
    assert "one: tower 4" in titles
    assert "other: share one, the same weights" in titles
    assert sum(box.shared for box in drawn.boxes) == 4 + 3


def test_both_sides_that_change_are_written_in_full() -> None:
    drawn = of("network Net { input 1x9x9\nrepeat 2 { conv 4 3x3, relu }\n}")
    assert [box.output for box in drawn.boxes if box.count > 1] == ["4x7x7 .. 4x5x5"]


LIKE = """block bigger(other) { upsample like=other, conv 4 }
network Net {
  input image 3x32x32
  fine: repeat 2 { conv 4 3x3 same }
  pool max 2x2
  coarse: conv 8 3x3 same
  bigger fine
  upsample like=image
}"""


def test_what_a_map_is_made_as_large_as_is_called_by_its_label() -> None:
    """Not by the parameter of the block; and an argument that is called so is written once."""
    drawn = of(LIKE)
    assert [b.main for b in drawn.boxes if b.kind == "shape"] == [
        "upsample like=fine", "upsample like=image"
    ]  # fmt: skip
    same = of(LIKE.replace("other", "fine").replace("(fine)", "(width, fine)"
              ).replace("bigger fine", "bigger 4 fine"))  # fmt: skip
    assert [frame.title for frame in same.frames if "bigger" in frame.title] == ["bigger 4 fine"]
