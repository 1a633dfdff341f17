"""The data loader: batches of images that are kept in memory or read by worker processes."""
