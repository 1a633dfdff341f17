"""Convolution layers: conv, depthwise, separable, deconv."""

from .sliding import Conv, Deconv, Depthwise, Separable, Sliding

__all__ = ["Conv", "Deconv", "Depthwise", "Separable", "Sliding"]
