"""Emitted modules compute what their networks say: the gallery, and programs drawn at random."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, seed, settings

import dotcnn
from dotcnn.compiler.analysis import analyse
from dotcnn.compiler.graph import Network

from .equality import hold
from .gallery import NAMES, small
from .programs import drawn, programs

QUICK = frozenset(
    "lenet5 lenet5_1998 googlenet mobilenet_v2 mobilenet_v3_small shufflenet_v2_x0_5 resnet18 "
    "squeezenet1_1 unet_same pool_lp pool_mixed pool_spp pool_stochastic pool_tree pool_wavelet "
    "filters dropout spatial_dropout stochastic_depth resnet20".split()
)
"""Small, and all that is special in how layers run: heads, gates, splits, what is drawn at random,
what has weights of its own kind."""

each_network = pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in NAMES]
)


def test_the_quick_ones_are_of_the_gallery() -> None:
    assert set(NAMES) >= QUICK


@each_network
def test_computes_what_the_network_says(name: str) -> None:
    """Outputs in evaluation and training, gradients, running statistics and names of weights."""
    hold(small(name))
