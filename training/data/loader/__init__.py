"""From images to batches: kept in memory, or read by worker processes."""
