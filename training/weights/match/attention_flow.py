"""Attention in the dataflow graph: two products, with what tells positions apart between them.

Code writes attention as two products or calls torch's function, and in a spec it is one layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .flow import Link, Part
from .layer import Layer

ATTENTION = "scaleddotproductattention"
"""torch's function, by its plain name."""

PRODUCT = "matmul"


def attended(
    add: Callable[[Part], Link],
    inputs: Sequence[Link],
    positions: Sequence[Layer],
    of_queries: bool = False,
) -> Link:
    """Adds attention of queries, keys and values. `positions` are layers of weights that change the
    scores, one after the other; or, with `of_queries`, whose products with queries are added."""
    queries, keys, values = inputs
    scores = add(Part(PRODUCT, (queries, keys)))
    if of_queries:
        added = [add(Part("layer", (queries,), layer)) for layer in positions]
        scores = add(Part("add", (scores, *added)))
    else:
        for layer in positions:
            scores = add(Part("layer", (scores,), layer))
    return add(Part(PRODUCT, (scores._replace(through=("softmax",)), values)))
