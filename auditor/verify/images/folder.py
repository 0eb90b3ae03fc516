"""What lies in a folder of images: their files in order, and the classes that its sub-folders stand for."""

from __future__ import annotations

import os
from pathlib import Path

_BESIDE = frozenset({".txt", ".csv", ".tsv", ".json", ".xml", ".md", ".yaml", ".yml", ".html"})  # annotations, notes


def walk(root: Path) -> tuple[list[Path], int, int]:
    """Image files relative to the root in the order of their paths; annotation files and linked folders are counted."""
    files: list[Path] = []
    beside = linked = 0
    for folder, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        linked += sum(Path(folder, name).is_symlink() for name in folders)
        for name in names:
            path = Path(folder, name).relative_to(root)
            if path.suffix.lower() in _BESIDE:
                beside += 1
            elif not name.startswith("."):
                files.append(path)
    return sorted(files, key=lambda path: path.parts), beside, linked


def class_folders(files: list[Path]) -> tuple[dict[Path, int], list[str]]:
    """The class of each file where every one lies in a sub-folder, and what was assumed of them."""
    names = sorted({path.parts[0] for path in files if len(path.parts) > 1})
    if not names or any(len(path.parts) == 1 for path in files):
        return {}, []
    if all(name.isdecimal() for name in names):
        index = {name: int(name) for name in names}
        notes: list[str] = []
    else:
        index = {name: rank for rank, name in enumerate(names)}
        notes = [f"labels are the order of {len(names)} sub-folder names: accuracy is wrong if classes are missing"]
    return {path: index[path.parts[0]] for path in files}, notes
