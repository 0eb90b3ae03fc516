"""The portable forms, one file each: nothing else has to know of a new one.

A file declares its ``LOWERING``; see :mod:`auditor.rewrite.portable.lowering`.
"""

from __future__ import annotations

from pathlib import Path

NAMES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py")))
"""The files of all lowerings, read off the folder."""
