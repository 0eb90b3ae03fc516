"""Editing the graph: nodes and their readers, the pieces that are inserted, and the bytes that are written."""
