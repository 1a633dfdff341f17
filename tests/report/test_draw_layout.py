"""Where things are in a drawing: nothing overlaps, the trunk is straight, a U-Net is a U."""

from __future__ import annotations

from itertools import pairwise

import pytest

from dotcnn.compiler.analysis import analyse
from dotcnn.compiler.report.drawing import text_width as measure
from dotcnn.compiler.report.drawing.diagram import diagram
from dotcnn.compiler.report.drawing.paint import picture
from dotcnn.compiler.report.drawing.picture import Box, Picture
from dotcnn.compiler.report.drawing.place import Placed, place
from dotcnn.compiler.report.drawing.sizes import LINE_HEIGHT, box_size, title_lines, title_size
from networks import gallery

from .drawn import TANGLES, UNDER_TEST, body, drawn_of, of
from .examples import ALL, INCEPTION, UNET

GALLERY = ["teaching/lenet5", "resnet/resnet50", "googlenet/googlenet", "densenet/densenet121"]


Edges = tuple[float, float, float, float]
"""Left, top, right and bottom."""


def placed_of(drawn: Picture, *, horizontal: bool = False) -> tuple[Placed, dict[int, Edges]]:
    placed = place(drawn, horizontal=horizontal)
    edges = {}
    for box, (x, y) in placed.boxes.items():
        width, height = box_size(box)
        edges[box.number] = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return placed, edges


def overlap(one: Edges, two: Edges, margin: float = 0.5) -> bool:
    across = one[0] + margin < two[2] and two[0] + margin < one[2]
    return across and one[1] + margin < two[3] and two[1] + margin < one[3]


def pieces(points: list[tuple[float, float]]) -> list[Edges]:
    """The straight pieces of a line."""
    pairs = pairwise(points)
    return [(min(a, c), min(b, d), max(a, c), max(b, d)) for (a, b), (c, d) in pairs]


@pytest.mark.parametrize(
    ("name", "unfold", "horizontal"),
    [
        *[(name, False, False) for name in (*UNDER_TEST, "residual u")],
        *[(name, False, True) for name in UNDER_TEST],
        *[(name, True, False) for name in (*ALL, "shufflenet/shufflenet_v2_x1_0")],
    ],
)
def test_nothing_lies_on_something_else(name: str, unfold: bool, horizontal: bool) -> None:
    """Boxes lie in their frames and in no others, and no line passes below a box or a title."""
    drawn = drawn_of(name, unfold=unfold)
    placed, edges = placed_of(drawn, horizontal=horizontal)
    assert len(edges) == len(drawn.boxes)
    assert len(placed.frames) == len(drawn.frames)
    by_top = sorted(edges.values(), key=lambda edge: edge[1])
    for position, one in enumerate(by_top):
        for two in by_top[position + 1 :]:
            if two[1] >= one[3]:
                break
            assert not overlap(one, two)
    for box in drawn.boxes:
        left, top, right, bottom = edge = edges[box.number]
        assert min(left, top) >= 0
        assert right <= placed.width + 0.1
        assert bottom <= placed.height + 0.1
        around = set()
        frame = box.frame
        while frame.parent is not None:
            around.add(frame)
            frame = frame.parent
        for frame, rect in placed.frames.items():
            x1, y1, x2, y2 = rect
            inside = x1 <= left and right <= x2 and y1 <= top and bottom <= y2
            assert inside if frame in around else not overlap(edge, rect)
    titles = [(x, y - 10, x + title_size(frame)[0], y) for frame, (x, y) in placed.titles.items()]
    for _, points, _ in placed.arrows:
        for piece in pieces(points):
            assert not any(overlap(piece, title, 0) for title in titles)
            # A line may touch the box where it begins or ends.
            assert not any(overlap(piece, edge, -0.2) and deep(piece, edge) for edge in by_top)


@pytest.mark.parametrize("name", TANGLES)
def test_no_line_runs_along_a_box_that_it_passes(name: str) -> None:
    drawn = drawn_of(name)
    placed, edges = placed_of(drawn)
    for arrow, points, _ in placed.arrows:
        own = {arrow.source.number, arrow.target.number}
        others = [edge for number, edge in edges.items() if number not in own]
        for piece in pieces(points):
            assert not any(overlap(piece, edge, -2) for edge in others)


def deep(piece: Edges, edge: Edges) -> bool:
    """Whether a line is inside a box by more than a copy behind it is moved."""
    return overlap(piece, (edge[0] + 5, edge[1] + 5, edge[2] - 5, edge[3] - 5), 0)


@pytest.mark.parametrize("name", [name for name in UNDER_TEST if "unet" not in name])
def test_the_trunk_is_one_straight_line(name: str) -> None:
    """From the input to the output, whatever stands beside it."""
    drawn = drawn_of(name)
    placed, _ = placed_of(drawn)
    ends = {placed.boxes[box][0] for box in (drawn.boxes[0], drawn.boxes[-1])}
    assert len(ends) == 1
    x = ends.pop()
    on_trunk = [box for box in drawn.boxes if abs(placed.boxes[box][0] - x) < 0.01]
    readers = {arrow.source for arrow in drawn.arrows if arrow.target is drawn.boxes[-1]}
    assert readers <= set(on_trunk)
    assert len(on_trunk) >= len(drawn.boxes) // 5


def test_a_unet_is_a_u() -> None:
    drawn = drawn_of("unet/unet")
    for horizontal in (False, True):
        placed, _ = placed_of(drawn, horizontal=horizontal)
        left, right = placed.boxes[drawn.boxes[0]][0], placed.boxes[drawn.boxes[-1]][0]
        merges = [box for box in drawn.boxes if box.kind == "merge"]
        assert {placed.boxes[box][0] for box in merges} == {right}
        labeled = [box for box in drawn.boxes if box.label.startswith("level")]
        assert {placed.boxes[box][0] for box in labeled} == {left}
        heights = [placed.boxes[box][1] for box in labeled]
        assert heights == pytest.approx([placed.boxes[box][1] for box in reversed(merges)])
        assert sorted(heights) == heights
        # At the bottom lie the smallest maps only.
        low = max(y for _, y in placed.boxes.values())
        bottom = [box.main for box, (_, y) in placed.boxes.items() if abs(y - low) < 1]
        assert bottom == ["conv 1024 3x3", "dropout"]


def test_a_u_of_residual_parts() -> None:
    drawn = drawn_of("residual u")
    placed, _ = placed_of(drawn)
    left, right = placed.boxes[drawn.boxes[0]][0], placed.boxes[drawn.boxes[-1]][0]
    assert left < right
    last, smallest = placed.boxes[drawn.boxes[-1]][1], max(y for _, y in placed.boxes.values())
    assert last < smallest
    heads = [points for arrow, points, head in placed.arrows if head and arrow.target.joins]
    level = [points for points in heads if points[-2][1] == points[-1][1]]
    assert len([p for p in level if p[-2][0] < (left + right) / 2 < p[-1][0] < right]) == 2


def test_a_shortcut_leaves_and_enters_at_the_side() -> None:
    statements = "a: conv 8 3x3 same\nconv 8 3x3 same\nconv 8 3x3 same\nadd a\nrelu"
    drawn = of(body(statements))
    placed, edges = placed_of(drawn)
    merge = next(box for box in drawn.boxes if box.kind == "merge")
    (shortcut,) = (
        points
        for arrow, points, _ in placed.arrows
        if arrow.target is merge and arrow.source.label == "a"
    )
    begin, end = edges[shortcut_source(drawn).number], edges[merge.number]
    assert shortcut[0][0] == pytest.approx(begin[2])
    assert shortcut[-1] == pytest.approx((end[2], placed.boxes[merge][1]))


def shortcut_source(drawn: Picture) -> Box:
    return next(box for box in drawn.boxes if box.label == "a")


@pytest.mark.parametrize("name", GALLERY)
def test_a_drawing_is_of_a_sensible_size(name: str) -> None:
    scene = diagram(picture(analyse(gallery(name))))
    assert 300 < scene.width < 1500
    assert 300 < scene.height < 4500


@pytest.mark.parametrize(
    ("name", "horizontal"),
    [*[(name, False) for name in (*UNDER_TEST, *TANGLES)], *[(name, True) for name in TANGLES]],
)
def test_every_connection_has_a_line(name: str, horizontal: bool) -> None:
    """Lines that end at the border of a frame are continued there by others; the last one has the
    head."""
    drawn = drawn_of(name)
    placed, edges = placed_of(drawn, horizontal=horizontal)
    beginning: dict[tuple[int, int], list[int]] = {}
    for number, (_, points, _) in enumerate(placed.arrows):
        beginning.setdefault(rounded(points[0]), []).append(number)
    for arrow in drawn.arrows:
        source, target = edges[arrow.source.number], edges[arrow.target.number]
        todo = [n for n, (_, points, _) in enumerate(placed.arrows) if touches(points[0], source)]
        seen, arrived = set(todo), False
        while todo:
            _, points, head = placed.arrows[todo.pop()]
            if head:
                arrived = arrived or touches(points[-1], target)
                continue
            following = [n for n in beginning.get(rounded(points[-1]), []) if n not in seen]
            seen.update(following)
            todo += following
        assert arrived, f"{arrow.source.main} -> {arrow.target.main}"


def rounded(point: tuple[float, float]) -> tuple[int, int]:
    return round(10 * point[0]), round(10 * point[1])


def touches(point: tuple[float, float], edge: Edges) -> bool:
    across = edge[0] - 5 <= point[0] <= edge[2] + 5
    return across and edge[1] - 5 <= point[1] <= edge[3] + 5


def test_the_trunk_leads_to_the_output_past_a_head_of_training() -> None:
    drawn = drawn_of("side head")
    placed, _ = placed_of(drawn)
    trunk = placed.boxes[drawn.boxes[0]][0]
    assert placed.boxes[drawn.boxes[-1]][0] == trunk
    head = [box for box in drawn.boxes if box.main == "conv 16 3x3 same"]
    assert all(placed.boxes[box][0] != trunk for box in head)


def test_text_is_measured_wide_enough() -> None:
    """After DejaVu Sans, which is wide; measured here where that font is there."""
    font = pytest.importorskip("PIL.ImageFont")
    try:
        dejavu = font.truetype("DejaVuSans.ttf", 100)
    except OSError:
        pytest.skip("DejaVu Sans is not installed")
    for drawn in (of(INCEPTION), of(UNET)):
        for box in drawn.boxes:
            for line, _ in box.lines():
                assert measure.width(line, 100) >= 0.97 * dejavu.getlength(line)


def test_text_that_is_too_wide_loses_its_middle() -> None:
    shorter = measure.cut("conv 1024 3x3 stride=2 groups=32 same", 12, 150)
    assert measure.width(shorter, 12) <= 150
    assert shorter.startswith("conv 10")
    assert shorter.endswith("same")


def test_long_text_is_broken_between_words() -> None:
    text = "decoder: block first second third fourth width=64 other=layer1"
    lines = measure.wrapped(text, 12, 150, 4)
    assert len(lines) > 1
    assert " ".join(lines) == text
    assert all(measure.width(line, 12) <= 150 for line in lines)
    shorter = measure.wrapped(text, 12, 150, 2)
    assert len(shorter) == 2
    assert "…" in shorter[1]
    assert measure.wrapped("short", 12, 150, 4) == ["short"]


LONG = ", ".join(f"argument_{number}" for number in range(9))
LONG_BLOCK = (
    f"block long({LONG}) {{\nconv 4 3x3 same\nadd {{ | conv 4 | conv 4 }}\nconv 4\n}}",
    "a: " + "long " + " ".join(f"{number}0000000" for number in range(9)) + "\nconv 4",
)


def test_a_title_of_a_block_with_many_arguments_is_not_cut() -> None:
    """It has as many lines as it needs, and what is in the frame stands below them."""
    block, statements = LONG_BLOCK
    drawn = of(body(statements, block))
    placed, edges = placed_of(drawn)
    (frame,) = [frame for frame in drawn.frames if frame.title]
    lines = title_lines(frame)
    assert len(lines) > 1
    assert " ".join(lines) == frame.title
    bottom = placed.titles[frame][1] + (len(lines) - 1) * LINE_HEIGHT
    inside = [edges[box.number] for box in frame.boxes]
    assert min(top for _, top, _, _ in inside) >= bottom - 4


DENSE = "\n".join(
    [
        "first: conv 4 3x3 same",
        *[f"{name}: conv 4 3x3 same, relu, conv 4 3x3 same\nconcat first" for name in "pqrstuvw"],
        "conv 4",
    ]
)


def test_lines_from_one_map_share_a_lane() -> None:
    """However many read it."""
    drawn = of(body(DENSE))
    placed, _ = placed_of(drawn)
    first = drawn.boxes[1]
    lanes = [
        {x for (x, y), (_, low) in pairwise(points) if low - y > 60}
        for arrow, points, _ in placed.arrows
        if arrow.source is first and len(points) > 2
    ]
    assert len(lanes) == 8
    assert len(set().union(*lanes)) == 1


def test_a_unet_with_dense_shortcuts_has_a_lane_for_each_map() -> None:
    """What the encoder hands over five times runs down a side of the decoder once; and no line
    passes behind a box on its way to another."""
    drawn = drawn_of("segmentation/unetpp")
    placed, edges = placed_of(drawn)
    (decoder,) = [frame for frame in drawn.frames if frame.label == "decoder"]
    left, top, right, _ = placed.frames[decoder]
    lanes: dict[Box, set[float]] = {}
    for arrow, points, _ in placed.arrows:
        own = {arrow.source.number, arrow.target.number}
        others = [edge for number, edge in edges.items() if number not in own]
        for piece in pieces(points):
            assert not any(overlap(piece, edge, -0.2) and deep(piece, edge) for edge in others)
            x, above, _, below = piece
            beside = not left < x < right and x == piece[2] and above < top < below
            if beside and below - above > 60:
                lanes.setdefault(arrow.source, set()).add(x)
    assert len(lanes) == 5
    assert sum(map(len, lanes.values())) <= 6


@pytest.mark.slow
def test_a_tangle_between_stages_is_laid_out() -> None:
    """Nothing leads from one end of some of HRNet's paths to the other."""
    placed, edges = placed_of(drawn_of("hrnet/hrnet"))
    assert len(placed.boxes) == len(edges)
