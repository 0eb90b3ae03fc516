"""Finding and reading the settings file.

The nearest file wins, and only one is read: from the working directory upwards to the root of the git checkout (or of
the file system), the first folder that has an ``aliasaudit.toml`` or a ``pyproject.toml`` with a ``[tool.aliasaudit]``
table. In one folder ``aliasaudit.toml`` wins. There is no file per user: a gate must not depend on who runs it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from auditor.files import read_whole
from auditor.policy.errors import SettingsError
from auditor.policy.settings import SettingsLayer, Source, ValueOrigin
from auditor.policy.validate import check_values

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OWN_FILE = "aliasaudit.toml"
PROJECT_FILE = "pyproject.toml"


def find_layer(start: Path) -> SettingsLayer | None:
    """The settings of the nearest file for the folder ``start``; None where there is none.

    Raises:
        SettingsError: The nearest file cannot be read or is not valid.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        own, project = folder / OWN_FILE, folder / PROJECT_FILE
        if own.is_file():
            return read_layer(own, start)
        if project.is_file() and _table(project, start) is not None:
            return read_layer(project, start)
        if (folder / ".git").exists():
            break
    return None


def project_root(start: Path) -> Path:
    """The root of the git checkout that the folder ``start`` lies in, or ``start`` itself."""
    start = start.resolve()
    return next((folder for folder in (start, *start.parents) if (folder / ".git").exists()), start)


def read_layer(path: Path, start: Path) -> SettingsLayer:
    """The settings in one file. Messages show its path relative to ``start`` where it lies below.

    Raises:
        SettingsError: The file cannot be read, has no table for this tool, or is not valid.
    """
    table = _table(path, start)
    origin = ValueOrigin(Source.FILE, _shown(path, start))
    if table is None:
        raise SettingsError(f"{origin}: has no [tool.aliasaudit] table")
    root = path.resolve().parent
    values = check_values(table, origin)
    if "rule-dirs" in values:
        values["rule-dirs"] = tuple(root / folder for folder in values["rule-dirs"])
    if "baseline" in values:
        values["baseline"] = root / values["baseline"]
    return SettingsLayer(origin, values, root)


def _table(path: Path, start: Path) -> dict[str, Any] | None:
    try:
        document = tomllib.loads(read_whole(path).decode("utf-8"))
    except OSError as error:
        raise SettingsError(f"{_shown(path, start)}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{_shown(path, start)}: is not valid TOML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise SettingsError(f"{_shown(path, start)}: is nested too deeply") from error
    if path.name != PROJECT_FILE:
        return document
    tools = document.get("tool", {})
    table = tools.get("aliasaudit") if isinstance(tools, dict) else None
    if table is not None and not isinstance(table, dict):
        raise SettingsError(f"{_shown(path, start)}: tool.aliasaudit must be a table")
    return table


def _shown(path: Path, start: Path) -> str:
    path, start = path.resolve(), start.resolve()
    return (path.relative_to(start) if path.is_relative_to(start) else path).as_posix()
