"""Frozen values without logic, read by every room."""
