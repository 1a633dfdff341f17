"""What needs torch: weights, and what is done with them."""
