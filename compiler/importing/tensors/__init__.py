"""Networks that come as calls on tensors, from ONNX and torch, become layers.

program.py       the calls, in the words of torch: what readers of such formats give
compose.py       program -> graph, by way of these:
patterns.py      functions that are written out, as expressions: `x * relu6(x + 3) / 6`
joined.py        padding in front of a convolution, factors of queries
composer.py      goes through the calls; which function says which of them:
  convolve.py norms.py pools.py elements.py layout.py attention.py
views.py         tensors as views of maps, so that reshapes and permutes are no layers
arrange.py       the layers that a view needs, where the order of its numbers counts
scores.py        products of queries and keys that are no layer yet
standardized.py  filters that are standardized where the network runs
known.py         what is computed from weights alone
"""
