"""One forward pass over the nodes of a scope."""
