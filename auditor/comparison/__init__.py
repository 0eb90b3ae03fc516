"""The merge gate: a model against the one it is to replace. What changed, and is it worse?"""
