"""The learning-rate range test of `cnn train --find-lr` and `cnn find-lr`."""
