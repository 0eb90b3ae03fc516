"""A model rewritten, measured beside its original, and only then kept.

The way through: :func:`auditor.repair.run.run`, for one rewrite or, by :mod:`auditor.repair.search.run`, the best of
several. Both rewrite into a hidden folder, run the two models on the same images and shifts
(:mod:`auditor.repair.bench`), and leave it to :class:`auditor.repair.original.Original` to move the file to its
destination. Nothing is printed.
"""
