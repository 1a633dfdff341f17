"""Training a network: setup, the loop over epochs and batches, and what is written at the end."""
