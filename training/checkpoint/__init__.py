"""What of a run is written to its folder, and how a run is resumed."""
