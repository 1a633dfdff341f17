"""Fine-tuning: what a `transfer` section does to a network before and while it trains.

source.py                     whose weights: a run, a file, torchvision_weights.py, timm_weights.py
preprocessing_of_weights.py   what they expect pixels to be, where the spec says nothing;
                              pixel_scale.py: found by measurement, where they do not say it
resolve.py                    both of these, before the data are opened; resumed runs
setup.py                      a policy settled, weights loaded, what is said of it
initialize.py                 weights into a module, by structure; mismatch.py: what does not fit;
                              activation_check.py: whether it then computes the same
freezing.py                   what does not learn now; anchor.py: weights drawn back (`l2`)
split_network.py              a network in two: what is computed once, and what learns from that
feature_cache.py              the first part's outputs, kept in files; compute_features.py,
                              cache_key.py: and never stale
explain.py                    `cnn explain FILE transfer`, without training

What is frozen when, and how fast the rest learns, is decided without torch, in compiler/plan:
strategy.py and policy.py.
"""
