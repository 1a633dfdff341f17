"""Tries what a plug-in declares: layers, losses, metrics and augmentations, against torch.

    from dotcnn.testing import conformance
    conformance(MyLayer)                # raises NotConforming with sentences, or returns a report

It needs torch, and no test framework: a call in a test of yours is enough.
"""

from __future__ import annotations

from .conformance import Conformance, NotConforming, conformance

__all__ = ["Conformance", "NotConforming", "conformance"]
