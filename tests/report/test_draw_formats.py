"""The files that a drawing is written to, and that no spec can do anything with them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dotcnn.compiler.analysis import Analysis, analyse
from dotcnn.compiler.report.drawing import tikz
from dotcnn.compiler.report.drawing.diagram import diagram
from dotcnn.compiler.report.drawing.dot import quoted
from dotcnn.compiler.report.drawing.formats import SUFFIXES, draw, format_of
from dotcnn.compiler.report.drawing.png import NotInstalled, _family
from dotcnn.dsl.source import Source
from networks import gallery, network

from .drawn import body, of
from .examples import ALL, INCEPTION, LENET, RESIDUAL, analysed


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
