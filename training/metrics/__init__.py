"""Metrics: running metrics of training, and accuracy and confusion matrix of an evaluation."""
