"""The one error of settings."""

from __future__ import annotations


class SettingsError(Exception):
    """Settings that cannot be used. The message is one line: where, which key, what is wrong, what would be right."""
