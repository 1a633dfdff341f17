"""Fine-tuning (`transfer`): pretrained weights, frozen layers, cached features.

source.py                     opens pretrained weights: of a run, of a file, of torchvision
                              (torchvision_weights.py) or timm (timm_weights.py)
missing_weights.py            what is said of weights that are not there, without torch
preprocessing_of_weights.py   the preprocessing that they expect, if the spec does not say it;
                              pixel_scale.py: measures it, if the weights do not record it
resolve.py                    both of these, before the data is opened; resumed runs
setup.py                      applies `policy`, loads the weights, reports both
initialize.py                 loads weights into a module, by structure; mismatch.py: errors if
                              they do not fit
freezing.py                   freezes layers; anchor.py: L2-SP regularization (`l2`)
split_network.py              splits a network into a frozen part and a trained part
feature_cache.py              the outputs of the frozen part, kept in files; compute_features.py:
                              computes them; cache_key.py: a key, so that they are never stale
explain.py                    `cnn explain FILE transfer`, without training

Which layers are frozen when, and the learning rates of the others, are decided without torch, in
compiler/plan: strategy.py and policy.py.
"""
