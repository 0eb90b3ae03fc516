"""Alias energy of a filter and a spectrum."""
