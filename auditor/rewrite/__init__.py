"""Rewriting models so that they sample properly: plans, strategies, and graph surgery that touches nothing else."""
