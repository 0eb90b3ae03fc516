"""The rewrites, one file each, called like the strategy: nothing else has to know of a new one.

A file declares its ``STRATEGY``; see :mod:`auditor.rewrite.strategy`.
"""

from __future__ import annotations

from pathlib import Path

NAMES = tuple(sorted(path.stem.replace("_", "-") for path in Path(__file__).parent.glob("[a-z]*.py")))
"""The names of all strategies. They are read off the folder, so that a list of choices imports none of them."""
