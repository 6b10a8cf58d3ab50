"""Vectors: a function each, named by its id; a file for a kind of them."""
