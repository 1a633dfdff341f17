"""Losses, optimizers, learning-rate schedules, EMA, early stopping, numeric precision."""
