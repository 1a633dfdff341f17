"""Metrics: running ones while training, accuracy and confusion matrix of an evaluation."""
