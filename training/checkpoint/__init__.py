"""Run folders: checkpoints, the record, the lock, and how a run is resumed."""
