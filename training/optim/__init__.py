"""What changes weights: losses, optimizers, learning rates, averages, numeric precision."""
