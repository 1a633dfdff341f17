"""Trained networks: loading, evaluation, prediction, test-time augmentation, Grad-CAM."""
