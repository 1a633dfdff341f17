"""Convolution layers: conv, depthwise, separable, deconv. `sliding.py` has what they share, also
with the fixed filters."""

from .conditional import CondConv
from .conv import Conv
from .deformable import Deform
from .depthwise import Depthwise, Separable
from .involution import Involution
from .sliding import Sliding
from .transposed import Deconv

__all__ = [
    "CondConv",
    "Conv",
    "Deconv",
    "Deform",
    "Depthwise",
    "Involution",
    "Separable",
    "Sliding",
]
