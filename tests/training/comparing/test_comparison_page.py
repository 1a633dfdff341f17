"""The page of `cnn compare`: whole, without anything from outside, readable without colors."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from math import nan
from pathlib import Path

import pytest

from dotcnn.cli import main
from dotcnn.compiler.report.drawing.text_width import width
from dotcnn.training.comparing.cost_scatter import CostPoint, cost_scatter
from dotcnn.training.comparing.overlaid_curves import WIDTH, Curve, curve_of, overlaid

from .test_compare_command import Run, run  # noqa: F401 (a fixture)


@pytest.fixture
def page(run: Run, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:  # noqa: F811
    def write(*names: str) -> str:
        assert main(["compare", *names, "-o", "page.html"]) == 0
        capsys.readouterr()
        return Path("page.html").read_text(encoding="utf-8")

    return write


def test_a_page_of_two_runs(run: Run, page: Callable[..., str]) -> None:  # noqa: F811
    run("a", range(12)), run("b", range(20, 23), lr=0.05)
    text = page("a", "b")
    assert text.startswith("<!DOCTYPE html>")
    assert "once in 28 times" in text
    assert "<script" not in text
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    for section in ("results", "curves", "differences", "confusions", "images", "runs"):
        assert f'<section id="{section}"' in text
    assert "train.optimizer.lr" in text
    assert text.count('class="unseen"') == 15  # images that are not in the data of the runs


def test_a_page_of_seeds(run: Run, page: Callable[..., str]) -> None:  # noqa: F811
    for seed, wrong in enumerate(([1, 2], [1, 2, 3], [4, 5, 6, 7])):
        run(f"a{seed}", wrong, seed=seed)
        run(f"b{seed}", wrong[1:], seed=seed, lr=0.05)
    text = page("a0", "a1", "a2", "b0", "b1", "b2")
    assert 'class="band"' in text
    assert "a0 (3 seeds)" in text
    assert "2 times" in text


def test_names_are_escaped(run: Run, page: Callable[..., str]) -> None:  # noqa: F811
    names = [f"<b>{number}</b>" for number in range(60)]
    run("<i>a", [1], names=names), run("b&", [2], names=names, lr=0.05)
    text = page("<i>a", "b&")
    assert "<i>" not in text
    assert "<b>" not in text
    assert "&lt;i&gt;a" in text


def test_a_page_that_cannot_be_written(
    run: Run,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("a", [1]), run("b", [2], lr=0.05)
    assert main(["compare", "a", "b", "-o", "nowhere/page.html"]) == 1
    assert "cannot write nowhere/page.html" in capsys.readouterr().err


# ---- charts ------------------------------------------------------------------------------------


def heights(svg: str) -> list[float]:
    """Of the names at the ends of curves."""
    return [float(each) for each in re.findall(r'<text x="[\d.]+" y="([\d.]+)">', svg)]


def test_names_at_the_ends_of_curves_do_not_cover_one_another() -> None:
    curves = [Curve(place, f"run {place}", [(1, 0.5), (2, 0.9)]) for place in range(20)]
    found = sorted(heights(overlaid("top1", curves, str)))
    assert len(found) == 20
    assert min(b - a for a, b in pairwise(found)) >= 14


def test_a_curve_of_seeds_has_a_band() -> None:
    curve = curve_of(0, "a", [{1: 0.5, 2: nan}, {1: 0.7, 2: 0.9, 3: 1.0}])
    assert curve is not None
    assert curve.points == [(1, pytest.approx(0.6)), (2, 0.9), (3, 1.0)]
    assert curve.band[0] == (1, 0.5, 0.7)


def test_no_values_are_no_curve() -> None:
    assert curve_of(0, "a", [{1: nan}]) is None


def test_a_run_that_diverged_does_not_flatten_the_others() -> None:
    fine = [Curve(n, f"r{n}", [(e, 1 / e) for e in range(1, 11)]) for n in range(6)]
    wild = Curve(6, "wild", [(e, 10.0**e) for e in range(1, 11)])
    ticks = re.findall(r'text-anchor="end">([\d.e+-]+)<', overlaid("loss", [*fine, wild], str))
    assert max(map(float, ticks)) < 1000


@pytest.mark.parametrize("points", [[(1, 0.5)], [(1, 0.5), (2, 0.5)], [(3, 0.0)]])
def test_charts_of_little(points: list[tuple[float, float]]) -> None:
    assert "<svg" in overlaid("top1", [Curve(0, "a", points)], str)


@pytest.mark.parametrize("costs", [(1, 2), (1, 1e12), (5e6, 5.000001e6), (3, 700)])
def test_costs_of_any_size(costs: tuple[float, float]) -> None:
    points = [CostPoint(n, f"r{n}", cost, 0.5, 0.4, 0.6) for n, cost in enumerate(costs)]
    svg = cost_scatter("top1", points, ("MACs", "top1"), lambda x: f"{x:.3g}", str)
    assert svg.count("<circle") == 2
    assert "nan" not in svg


def test_names_at_the_ends_of_curves_have_room() -> None:
    """Wide letters, and none is cut off at the right edge."""
    names = ["MMMMMMMMMMWWWWWWW", "日本語の実験その一二三四五", "net"]
    drawn = overlaid("Loss", [Curve(n, name, [(1, 0.5), (2, 0.4)])
                              for n, name in enumerate(names)], str)  # fmt: skip
    ends = re.findall(r'<g class="run.*?<text x="([\d.]+)" y="[\d.]+">(.*?)</text>', drawn, re.S)
    assert len(ends) == 3
    assert all(float(x) + width(name, 12, bold=True) <= WIDTH for x, name in ends)


def test_networks_that_differ_are_drawn(run: Run, page: Callable[..., str]) -> None:  # noqa: F811
    run("a", [1]), run("b", [2], lr=0.05)
    spec = Path("b/spec.cnn").read_text()
    Path("b/spec.cnn").write_text(spec.replace("flatten", "relu, flatten", 1))
    text = page("a", "b")
    assert text.count('src="data:image/svg+xml;base64,') == 2
    assert "Both networks, drawn" in text
