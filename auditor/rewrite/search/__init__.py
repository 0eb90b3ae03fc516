"""Finding the rewrite that gains most within a budget, by measuring."""
