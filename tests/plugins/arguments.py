"""How a pytest inside a test loads the plugin of this package."""

from __future__ import annotations

from importlib.metadata import entry_points


def plugin_arguments() -> list[str]:
    """Nothing where the package is installed, which brings the plugin along; its name in a bare checkout."""
    installed = any(entry.name == "aliasaudit" for entry in entry_points(group="pytest11"))
    return [] if installed else ["-p", "auditor.plugins.pytest"]
