"""Run folders: checkpoints, record.json, metrics.jsonl, the lock on a run, and resuming."""
