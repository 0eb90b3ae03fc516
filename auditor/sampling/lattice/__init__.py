"""Exact arithmetic on sampling lattices; knows no operator."""
