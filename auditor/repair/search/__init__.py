"""The search for the rewrite that gains most under a budget."""
