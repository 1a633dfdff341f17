"""Pooling layers, one file a kind; `windows.py` has what they share. The order here is that of
`cnn help`."""

# isort: off
from .windows import Pool, Padded, Global, Adaptive
from .basic import Average, Max, Min
from .norms import L2, Lp, Norm
from .mixed import Mixed
from .stochastic import Stochastic
from .tree import Tree
from .wavelet import Wavelet
from .pyramid import Pyramid
# isort: on

__all__ = [
    "L2",
    "Adaptive",
    "Average",
    "Global",
    "Lp",
    "Max",
    "Min",
    "Mixed",
    "Norm",
    "Padded",
    "Pool",
    "Pyramid",
    "Stochastic",
    "Tree",
    "Wavelet",
]
