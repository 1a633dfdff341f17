"""What is said about a spec: errors with their place and a fix that was tried, and warnings."""
