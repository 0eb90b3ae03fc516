"""What the metadata of a file say of the size of its pictures, as the exports of one project write it."""

from __future__ import annotations

import re
from collections.abc import Mapping

_OF_ULTRALYTICS = frozenset({"task", "names", "stride"})
_OTHER_EXPORTER = "model_family"  # libreyolo, which writes the same keys
_SIZE = re.compile(r"[\[(]\s*(\d{1,5})\s*,\s*(\d{1,5})\s*[\])]|(\d{1,5})")
_LONGEST = 16384


def is_ultralytics(metadata: Mapping[str, str]) -> bool:
    """Whether ultralytics 8.0 to 8.4 exported the file (engine/exporter.py)."""
    return metadata.keys() >= _OF_ULTRALYTICS and _OTHER_EXPORTER not in metadata


def told_size(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """The size (H, W) in pixels that the pictures were exported for; None where nothing is said that is known.

    >>> told_size({"task": "detect", "names": "{0: 'person'}", "stride": "32", "imgsz": "[320, 640]"})
    (320, 640)
    >>> told_size({"imgsz": "640"}) is None
    True
    """
    match = _SIZE.fullmatch(metadata.get("imgsz", "").strip()) if is_ultralytics(metadata) else None
    if match is None:
        return None
    high, wide = (int(match[index] or match[3]) for index in (1, 2))
    return (high, wide) if min(high, wide) > 0 and max(high, wide) <= _LONGEST else None
