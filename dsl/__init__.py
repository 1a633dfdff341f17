"""The language: parses text into a syntax tree, without knowing any layer or tensor library."""
