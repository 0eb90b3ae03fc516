"""Portable forms: nodes that deployment targets ignore, refuse or compute differently, written as all compute them."""
