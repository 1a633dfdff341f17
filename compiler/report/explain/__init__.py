"""`cnn explain`: where figures come from, written out with their numbers."""
