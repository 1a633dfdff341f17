"""Emitted modules compute what their networks say: the gallery, and programs drawn at random."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

import dotcnn
from dotcnn.compiler.analysis import analyse
from typical import one_per_folder, typical

from .equality import hold
from .gallery import NAMES, small
from .programs import drawn, programs

QUICK = frozenset(
    "lenet5 lenet5_1998 mobilenet_v2 mobilenet_v3_small shufflenet_v2_x0_5 squeezenet1_1 resnet20 "
    "filters pool_lp pool_mixed pool_spp pool_stochastic pool_tree pool_wavelet "
    "dropout spatial_dropout".split()
)
"""Small, and all that is special in how layers run: gates, splits, what is drawn at random, what
has weights of its own kind. Auxiliary heads are in test_behaviour.py."""

FLAT = frozenset({"mobilenet_v3_small", "shufflenet_v2_x0_5", "pool_tree"})

TOO_LARGE = frozenset({"c3d", "resnet50_med3d", "s3d", "unet3d"})
"""Volumes of these take minutes; those of the others have the same layers."""


def each_of(names: Iterable[str], quick: frozenset[str]) -> pytest.MarkDecorator:
    slow = [pytest.param(n, marks=pytest.mark.slow) for n in names if n not in TOO_LARGE | quick]
    return pytest.mark.parametrize("name", [*sorted(quick), *slow])


def test_the_quick_ones_are_of_the_gallery() -> None:
    assert set(NAMES) >= QUICK | FLAT


@each_of(typical(), QUICK)
def test_computes_what_the_network_says(name: str) -> None:
    """Outputs in evaluation and training, gradients, running statistics and names of weights."""
    hold(small(name))


@each_of(one_per_folder(), FLAT)
def test_one_line_a_layer_computes_the_same(name: str) -> None:
    hold(small(name), flat=True)


RANDOM = settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])


@settings(RANDOM, max_examples=40)
@given(programs())
def test_any_program_computes_what_it_says(text: str) -> None:
    hold(drawn(text))


@settings(RANDOM, max_examples=15)
@given(programs())
def test_any_program_in_flat_form_computes_what_it_says(text: str) -> None:
    hold(drawn(text), flat=True)


# ---- as a program --------------------------------------------------------------------------------


def run(source: str, folder: Path) -> list[str]:
    """What a file of emitted text prints: torch is all that it can import."""
    file = folder / "net.py"
    file.write_text(source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", str(file)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


HEADS = """
network Net {
  input 4x8x8
  conv 8, relu
  early: aux weight=0.3 { pool avg global, flatten, fc 3 }
  aux { conv 5, pool avg global, flatten, fc 3 }
  pool avg global, flatten, fc 3
}
"""


@pytest.mark.parametrize(
    ("spec", "flat"),
    [
        (HEADS, False),
        pytest.param("lenet5", False, marks=pytest.mark.slow),
        pytest.param(HEADS, True, marks=pytest.mark.slow),
        pytest.param("resnet18", True, marks=pytest.mark.slow),
        pytest.param("googlenet", False, marks=pytest.mark.slow),
        pytest.param("unet_same", False, marks=pytest.mark.slow),
    ],
)
def test_main_says_shapes_and_what_the_report_counts(spec: str, flat: bool, tmp_path: Path) -> None:
    found = dotcnn.compile(spec)
    lines = run(dotcnn.emit(found, main=True, flat=flat), tmp_path)
    totals = analyse(found).totals
    heads = [f"{totals.aux_params:,} in auxiliary heads"] if found.aux else []
    assert lines == [
        "input 2 " + " ".join(map(str, found.input.shape)),
        "output 2 " + " ".join(map(str, found.output.shape)),
        f"{totals.params:,} parameters",
        *heads,
    ]
