"""Resize kernels as other people's libraries compute them: one file per library.

Every kernel is ``kernel(image, size) -> image``: ``image`` (H, W, C) uint8 or float32, ``size`` (height, width).
"""
