"""The gallery: networks that are installed along with the compiler, found by name."""
