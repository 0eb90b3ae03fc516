"""Tiles: on which grid they lie, how far they overlap, and what that costs."""
