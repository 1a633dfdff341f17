"""Drawings: what is folded, where things are, and that no spec can do anything with them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from dotcnn.compiler.analysis import Analysis, analyse
from dotcnn.compiler.report.drawing import text_width as measure
from dotcnn.compiler.report.drawing import tikz
from dotcnn.compiler.report.drawing.diagram import diagram
from dotcnn.compiler.report.drawing.dot import dot, quoted
from dotcnn.compiler.report.drawing.formats import SUFFIXES, draw, format_of
from dotcnn.compiler.report.drawing.mermaid import mermaid
from dotcnn.compiler.report.drawing.paint import TooLarge, picture
from dotcnn.compiler.report.drawing.picture import Box, Picture
from dotcnn.compiler.report.drawing.place import Placed, place
from dotcnn.compiler.report.drawing.png import NotInstalled, _family
from dotcnn.compiler.report.drawing.scene import Group, Polygon, Scene, Words
from dotcnn.compiler.report.drawing.sizes import box_size, title_size
from dotcnn.compiler.report.drawing.volumes import MOST, volumes
from dotcnn.dsl.source import Source
from networks import gallery, network

from .examples import ALL, DENSE, INCEPTION, LENET, RESIDUAL, UNET, analysed

Golden = Callable[[str, str], None]

GALLERY = ["teaching/lenet5", "resnet/resnet50", "googlenet/googlenet", "densenet/densenet121"]


def of(text: str, **options: object) -> Picture:
    return picture(analysed(text), **options)  # type: ignore[arg-type]


def body(statements: str, blocks: str = "") -> str:
    return f"{blocks}\nnetwork Net {{\ninput 3x32x32\n{statements}\n}}"


def texts(drawn: Picture) -> list[str]:
    """The boxes, as one reads them; x3 where they stand for several."""
    return [
        " / ".join(line for line, _ in box.lines()) + (f" x{box.count}" if box.count > 1 else "")
        for box in drawn.boxes
    ]


def frames(drawn: Picture) -> list[tuple[str, int]]:
    return [(frame.title, frame.count) for frame in drawn.frames]


# ---- what is drawn ---------------------------------------------------------------------------


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


# ---- where things are ------------------------------------------------------------------------


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


UNDER_TEST = [
    *ALL,
    "teaching/lenet5", "resnet/resnet50", "googlenet/googlenet", "inception/inception_v3",
    "densenet/densenet121", "unet/unet", "senet/seresnet50", "dla/dla34",
    "shufflenet/shufflenet_v2_x1_0",
]  # fmt: skip


TANGLES = {
    "crossing shortcuts": """
        a: conv 4 3x3 same
        b: conv 4 3x3 same
        c: conv 4 3x3 same
        add a
        d: conv 4 3x3 same
        add b
        concat { | from c | from d, conv 2 1x1 | from a }""",
    "out of frames": """
        first: concat { | conv 2 1x1 | conv 4 3x3 same }
        second: concat { | from first, conv 4 1x1 | from first }
        conv 4 3x3 same
        maximum { | conv 6 1x1, relu | from first }
        concat { | from second | conv 4 1x1 | from first }""",
    "residual u": """
        e1: residual { | conv 8 3x3 same, bn, relu, conv 8 3x3 same | conv 8 1x1 }
        relu
        pool max 2x2
        e2: residual { | conv 16 3x3 same, bn, relu, conv 16 3x3 same | conv 16 1x1 }
        pool max 2x2
        residual { | conv 32 3x3 same, bn, relu, conv 32 3x3 same | conv 32 1x1 }
        upsample 2
        conv 16 1x1
        add e2
        upsample 2
        conv 8 1x1
        concat e1
        residual { | conv 8 3x3 same, bn, relu, conv 8 3x3 same | conv 8 1x1 }""",
    "nested u": """
        x00: conv 4 3x3 same
        pool max 2x2
        x10: conv 8 3x3 same
        upsample 2
        concat { | from x00 | }
        x01: conv 4 3x3 same
        from x10
        pool max 2x2
        x20: conv 16 3x3 same
        upsample 2
        concat { | from x10 | }
        x11: conv 8 3x3 same
        upsample 2
        concat { | from x00 | from x01 | }
        x02: conv 4 3x3 same
        from x20
        pool max 2x2
        conv 32 3x3 same
        upsample 2
        concat { | from x20 | }
        conv 16 3x3 same
        upsample 2
        concat { | from x10 | from x11 | }
        conv 8 3x3 same
        upsample 2
        concat { | from x00 | from x01 | from x02 | }
        conv 4 3x3 same""",
    "unused": """
        a: conv 4 3x3 same
        b: conv 16 3x3 same, conv 16 3x3 same, conv 16 3x3 same
        concat { | from a | from a, conv 2 1x1 }""",
}


def drawn_of(name: str, **options: object) -> Picture:
    if name in ALL or name in TANGLES:
        return of(ALL[name] if name in ALL else body(TANGLES[name]), **options)
    return picture(analyse(gallery(name)), **options)  # type: ignore[arg-type]


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


def test_the_trunk_leads_to_the_output_past_what_nothing_reads() -> None:
    drawn = drawn_of("unused")
    placed, _ = placed_of(drawn)
    trunk = placed.boxes[drawn.boxes[0]][0]
    assert placed.boxes[drawn.boxes[-1]][0] == trunk
    unused = [box for box in drawn.boxes if box.main == "conv 16 3x3 same"]
    assert all(placed.boxes[box][0] < trunk for box in unused)


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


# ---- files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_svg_is_well_formed_and_says_everything(name: str) -> None:
    root = ET.fromstring(draw(analysed(ALL[name]), "svg"))
    said = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    drawn = of(ALL[name])
    for box in drawn.boxes:
        if not box.small:
            assert all(line in said for line, _ in box.lines())
    for arrow in drawn.arrows:
        if arrow.labeled:
            assert arrow.source.output in said


@pytest.mark.parametrize("unfold", [False, True])
@pytest.mark.parametrize("name", ALL)
def test_every_layer_belongs_to_one_box_that_the_keyboard_reaches(name: str, unfold: bool) -> None:
    root = ET.fromstring(draw(analysed(ALL[name]), "svg", unfold=unfold))
    boxes = [element for element in root.iter() if element.get("data-layers") is not None]
    assert len(boxes) == len(of(ALL[name], unfold=unfold).boxes)
    assert all(box.get("tabindex") == "0" for box in boxes)
    *layers, end = [(box.get("data-layers") or "").split(" ") for box in boxes]
    nodes = network(ALL[name]).nodes
    assert sorted(name for names in layers for name in names) == sorted(node.name for node in nodes)
    assert end == [network(ALL[name]).output.name]


def test_the_same_drawing_every_time() -> None:
    assert draw(analysed(INCEPTION), "svg") == draw(analysed(INCEPTION), "svg")


def test_png() -> None:
    if _family() is None:
        pytest.skip("no font is installed")
    data = draw(analysed(LENET), "png")
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = (int.from_bytes(data[i : i + 4]) for i in (16, 20))
    scene = diagram(of(LENET))
    assert (width, height) == (round(2 * scene.width), round(2 * scene.height))


@pytest.mark.parametrize("ending", SUFFIXES)
def test_format_follows_from_the_ending(ending: str) -> None:
    assert format_of(f"some.folder/net{ending.upper()}") == SUFFIXES[ending]


def test_no_format_follows_from_another_ending() -> None:
    assert format_of("net.jpg") is None
    assert format_of("net") is None


def test_only_png_needs_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("pygraphviz", "resvg_py"):
        monkeypatch.setitem(sys.modules, library, None)
    for format in set(SUFFIXES.values()) - {"png"}:
        assert draw(analysed(LENET), format)
    with pytest.raises(NotInstalled) as raised:
        draw(analysed(LENET), "png")
    assert 'pip install "dotcnn[draw]"' in raised.value.help


def test_without_the_png_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(NotInstalled) as raised:
        draw(analysed(LENET), "png")
    assert "resvg-py" in raised.value.message


# ---- hostile specs ---------------------------------------------------------------------------

ATTACK = (
    "</text></svg><script>alert(1)</script><img src=x onerror=alert(2)>"
    ' \\" ] -> n0 [URL=javascript:alert(3)] ; end click n0 href `${x}` ]]> --> %%{init}%% &lt;'
)


def hostile() -> Analysis:
    text = body(f'one: b "{ATTACK}"', "block b(s) { conv 4, pool max 2x2, conv 8 }")
    analysis = analyse(network(text))
    source = analysis.network.program.main.source
    # A file may be called anything, too.
    source.name = "<script>alert('name')</script>\".cnn"
    assert isinstance(source, Source)
    return analysis


class Tags(HTMLParser):
    """The elements and attributes of a page, as a browser would find them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize("depth", [None, 1])
def test_nothing_in_a_spec_becomes_part_of_the_svg(depth: int | None) -> None:
    data = draw(hostile(), "svg", max_depth=depth)
    root = ET.fromstring(data)
    elements = {element.tag.partition("}")[2] for element in root.iter()}
    assert elements <= {"svg", "title", "style", "rect", "text", "g", "path"}
    titles = [element.text or "" for element in root.findall(".//{*}text[@class='faint']")]
    assert any("script" in title for title in titles) or depth


def test_nothing_in_a_spec_becomes_part_of_the_page() -> None:
    page = draw(hostile(), "html").decode()
    tags = Tags(page)
    assert tags.tags.count("script") == 2
    data = page.partition('id="layers">')[2].partition("</script>")[0]
    assert json.loads(data)["one.conv1"][0] == "conv 4 1x1"
    assert "<" not in data
    assert "img" not in tags.tags
    assert not any(name.startswith("on") or name in ("href", "src") for name in tags.attributes)
    assert "default-src 'none'" in page


@pytest.mark.parametrize("volumes", [False, True])
def test_nothing_in_a_spec_becomes_part_of_the_tex(volumes: bool) -> None:
    text = draw(hostile(), "tikz", volumes=volumes).decode()
    for line in text.splitlines():
        if line.startswith(r"\node"):
            head, _, shown = line.partition(") {")
            assert re.fullmatch(r"\\node\[[-\w\\{}., =]*\] at \([-\d.,]*", head)
            known = r"\\(?:text\w+\{\}|dots\{\}|[{}$&#%_])|\$\\(?:times|cdot)\$|\{[-\[\]]\}"
            bare = re.sub(known, "", shown.removesuffix("};"))
            assert not re.search(r"[\\{}$&#%_^~]", bare), line
        elif line.startswith("%"):
            assert line.isascii()
        else:
            assert "alert" not in line


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a_b % $x$", r"a\_b \% \$x\$"),
        ("\\input{x}", r"\textbackslash{}input\{x\}"),
        ("64..128 - é · ×3 网", r"64..128 {-} e $\cdot$ $\times$3 ?"),
        ("a\nb\x00", "a b "),
    ],
)
def test_text_of_tex(text: str, escaped: str) -> None:
    assert tikz.escape(text) == escaped


@pytest.mark.slow
@pytest.mark.parametrize("volumes", [False, True])
@pytest.mark.parametrize("name", ["hostile", "unet/unet", "teaching/lenet5"])
def test_latex_makes_a_figure_of_it(name: str, volumes: bool, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("there is no pdflatex (on Debian: apt-get install texlive-latex-extra lmodern)")
    analysis = hostile() if name == "hostile" else analyse(gallery(name))
    (tmp_path / "net.tex").write_bytes(draw(analysis, "tikz", volumes=volumes))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "net.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    assert b"1 page" in done.stdout
    assert b"Missing character" not in (tmp_path / "net.log").read_bytes()


# ---- figures in the boxes --------------------------------------------------------------------


def test_figures_stand_in_the_boxes() -> None:
    drawn = of(LENET, figures=["params", "macs", "memory", "field"])
    first = next(box for box in drawn.boxes if box.kind == "conv")
    # 6 filters of 5x5 with bias; 6x28x28 outputs of the convolution and of tanh, four bytes each.
    assert first.figures == ["156 params · 118k MACs", "output 36.8 KiB · sees 5"]
    assert ("156 params · 118k MACs", False) in first.lines()
    assert not drawn.boxes[0].figures
    assert b"118k MACs" in draw(analysed(LENET), "svg", figures=["macs"])


# ---- maps to scale ---------------------------------------------------------------------------


def maps_of(scene: Scene) -> list[Group]:
    return [item for item in scene.items if isinstance(item, Group) and item.kind == "box"]


def face(group: Group) -> tuple[float, float]:
    """Thickness and height of a drawn map."""
    front = group.items[-1]
    assert isinstance(front, Polygon)
    xs, ys = [x for x, _ in front.points], [y for _, y in front.points]
    return max(xs) - min(xs), max(ys) - min(ys)


def words_of(scene: Scene) -> str:
    return " ".join(item.text for item in [*scene.heading, *scene.items] if isinstance(item, Words))


def test_maps_of_lenet_are_to_scale() -> None:
    scene = volumes(analyse(gallery("teaching/lenet5")))
    drawn = [face(group) for group in maps_of(scene)]
    assert len(drawn) == 8
    heights = [height for _, height in drawn[:5]]
    assert [round(32 * height / heights[0], 3) for height in heights] == [32, 28, 14, 10, 5]
    assert drawn[3][0] == pytest.approx(16 / 6 * drawn[1][0])
    bars = [height for _, height in drawn[5:]]
    assert bars[0] / bars[1] == pytest.approx(120 / 84)
    assert "height and width linear" in words_of(scene)
    assert "6x28x28" in words_of(scene)


def test_maps_of_other_sizes_are_not_folded_into_one() -> None:
    """The last two stages of VGG-16 repeat, on maps of half the size."""
    scene = volumes(analyse(gallery("vgg/vgg16")))
    said = words_of(scene)
    for shape in ("512x28x28", "512x14x14", "512x7x7"):
        assert shape in said
    assert said.count("conv 512 3x3 same ×3") == 2


def test_what_is_compressed_is_said_and_nothing_vanishes() -> None:
    scene = volumes(analyse(gallery("vgg/vgg16")))
    assert "thickness (channels) to the power of 0." in words_of(scene)
    figure = draw(analyse(gallery("vgg/vgg16")), "tikz", volumes=True).decode()
    assert "{Scale: height and width to the power of 0." in figure
    assert all(min(face(group)) >= 3.9 for group in maps_of(scene))


@pytest.mark.parametrize("name", [*ALL, *UNDER_TEST[len(ALL) :]])
def test_maps_stand_beside_one_another_and_large_networks_stay_legible(name: str) -> None:
    analysis = analysed(ALL[name]) if name in ALL else analyse(gallery(name))
    scene = volumes(analysis)
    groups = maps_of(scene)
    assert 2 <= len(groups) <= MOST
    names = [each for group in groups for each in group.data["layers"].split(" ")]
    assert len(names) == len(set(names))
    assert set(names) <= {node.name for node in analysis.network.nodes}
    assert analysis.network.output.name in names
    for item in groups:
        for polygon in item.items:
            assert isinstance(polygon, Polygon)
            assert all(0 <= x <= scene.width and 0 <= y <= scene.height for x, y in polygon.points)


def test_each_part_of_the_trunk_has_its_map() -> None:
    for name, part in (
        ("dla/dla34", "level3"),
        ("resnet/resnet50", "layer2"),
        ("residual u", "e1"),
    ):
        network_ = network(body(TANGLES[name])) if name in TANGLES else gallery(name)
        groups = maps_of(volumes(analyse(network_)))
        names = [layer for group in groups for layer in group.data["layers"].split(" ")]
        assert any(layer.startswith(f"{part}.") or layer == part for layer in names), (name, names)


def test_two_towers_are_two_rows() -> None:
    tower = "conv 8 3x3 stride=2 same, relu, conv 16 3x3 same, relu"
    text = body(f"concat {{ | {tower} | {tower} }}\nflatten, fc 10")
    scene = volumes(analysed(text))
    tops = {min(y for _, y in g.items[-1].points) for g in maps_of(scene)}  # type: ignore[union-attr]
    assert len(maps_of(scene)) == 7
    assert len(tops) > 3


# ---- the page --------------------------------------------------------------------------------


def test_the_page_unfolds_each_repeated_part() -> None:
    page = draw(analysed(RESIDUAL), "html").decode()
    parts = re.findall(r'<template data-part="([^"]*)">', page)
    assert parts == ["", "layer1.0", "layer2.1", "*"]
    badges = set(re.findall(r'<g class="repeat" data-part="([^"]*)"', page))
    assert badges == {"layer1.0", "layer2.1"}
    unfolded = page.partition('<template data-part="layer2.1">')[2].partition("</template>")[0]
    assert 'data-layers="layer2.3.conv1 ' in unfolded


def test_the_page_holds_the_table() -> None:
    page = draw(analysed(INCEPTION), "html").decode()
    for node in network(INCEPTION).nodes:
        assert f"<code>{node.name}</code>" in page
    assert "Only in training" in page


def test_nothing_in_a_spec_becomes_part_of_the_dot_text() -> None:
    text = draw(hostile(), "dot").decode()
    without_strings = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    assert "script" not in without_strings
    assert "URL" not in without_strings
    pygraphviz = pytest.importorskip("pygraphviz")
    graph = pygraphviz.AGraph(string=text)
    assert sorted(graph.nodes()) == sorted(f"n{i}" for i in range(5))
    assert all("URL" not in node.attr.to_dict() for node in map(graph.get_node, graph.nodes()))
    graph.close()


@pytest.mark.parametrize("text", ['"', "\\", '\\"', "a\nb", "\\N", "\x00\x1b", "é"])
def test_strings_of_dot(text: str) -> None:
    inside = quoted(text)[1:-1]
    assert re.fullmatch(r'(?:[^"\\\x00-\x1f]|\\["\\n])*', inside)


def test_nothing_in_a_spec_becomes_part_of_the_mermaid_text() -> None:
    text = draw(hostile(), "mermaid").decode()
    for line in text.splitlines()[4:]:
        for string in re.findall(r'"[^"]*"', line):
            assert not re.search(r"[<>`%{}\\\"']", string[1:-1].replace("<br/>", ""))
        bare = re.sub(r'"[^"]*"|\|', "", line)
        assert re.fullmatch(r"[\w\s:,#()\[\]\-.>]*", bare), line
