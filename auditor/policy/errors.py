"""The one error of settings, and the suggestion that goes with it."""

from __future__ import annotations

from collections.abc import Iterable


class SettingsError(Exception):
    """Settings that cannot be used. The message is one line: where, which key, what is wrong, what would be right."""


def suggestion(given: str, known: Iterable[str]) -> str:
    """`` (did you mean "fail-on"?)``, or nothing where no known word is close."""
    from difflib import get_close_matches

    folded = {word.lower().replace("_", "-"): word for word in known}
    close = get_close_matches(given.lower().replace("_", "-"), folded, n=1)
    return f' (did you mean "{folded[close[0]]}"?)' if close else ""
