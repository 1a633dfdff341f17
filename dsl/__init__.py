"""The language: text to a checked syntax tree. It knows no layer, and no tensor library."""
