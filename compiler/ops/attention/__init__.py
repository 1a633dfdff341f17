"""Attention over the places of a map and over its channels, and what goes with it, one file a
layer; `heads.py` has what the two share. The order here is that of `cnn help`."""

from .attention import Attention
from .bilinear import BilinearAttention
from .cross_covariance import CrossCovariance
from .fourier_position import FourierPosition
from .heads import OverMaps
from .lambda_layer import LambdaLayer
from .matmul import MatMul

__all__ = [
    "Attention",
    "BilinearAttention",
    "CrossCovariance",
    "FourierPosition",
    "LambdaLayer",
    "MatMul",
    "OverMaps",
]
