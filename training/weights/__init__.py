"""Weights of other models: reads files (read.py, onnx.py), and matches them to layers (match/)."""
