"""Directives of the augment section: random changes to training images, in the order written. A
directive declares everything here except the computation itself: its arguments, the passes over a
batch that it is part of (for `fusion.py`), the size and border of the images after it, and its
cost. The computation is registered for its class under training/augment, with `@implements`.
"""

# Imported to enter their directives, in the order in which help lists them.
from . import geometric  # noqa: F401  # isort: skip
from . import resizing  # noqa: F401  # isort: skip
from . import pixels  # noqa: F401  # isort: skip
from . import mixing  # noqa: F401  # isort: skip
from . import rand_augment  # noqa: F401  # isort: skip
from . import series  # noqa: F401  # isort: skip
