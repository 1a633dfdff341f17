"""Trained networks in use: loaded, evaluated, predicting, and Grad-CAM."""
