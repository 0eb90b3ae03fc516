"""What the user asked for cannot be done: one line, exit code 2."""

from __future__ import annotations


class UsageError(Exception):
    """A command that cannot be carried out as given. The message is one line."""
