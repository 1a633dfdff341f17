"""Diagnostics of a spec: errors with their place and a fix that was tried, and warnings."""
