"""Words and tables that a caller of the Python interface gives: checked, with a message that lists what there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TypeVar

Kind = TypeVar("Kind", bound=Enum)


def chosen(name: str, kind: type[Kind], value: object) -> Kind:
    """The member of ``kind`` that ``value`` is, or is the value of.

    Raises:
        ValueError: There is none; the message has the name and the choices.
    """
    try:
        return kind(value)
    except ValueError:
        raise ValueError(unknown(name, value, (str(member.value) for member in kind))) from None


def unknown(name: str, value: object, known: Iterable[str]) -> str:
    """The message for a word that is none of the known ones."""
    words = list(known)
    return f"{name} must be one of {', '.join(words)}, not {value!r}{suggestion(str(value), words)}"


def options_table(name: str, value: object) -> Mapping[str, object]:
    """A mapping of options by name.

    Raises:
        TypeError: ``value`` is none.
    """
    if not isinstance(value, Mapping):
        example = '{"images": "photos", "device": "cpu"}'
        raise TypeError(f"{name} must be a mapping of options by name such as {example}, or {{}}, not {value!r}")
    return value


def suggestion(given: str, known: Iterable[str]) -> str:
    """`` (did you mean "fail-on"?)``, or nothing where no known word is close."""
    from difflib import SequenceMatcher, get_close_matches

    folded = {word.lower().replace("_", "-"): word for word in known}
    typed = given.lower().replace("_", "-")

    def likeness(word: str) -> tuple[float, int]:
        """Of words as near the one that has most characters in their places: AA101 for AA1O1, not AA411."""
        return SequenceMatcher(None, word, typed).ratio(), sum(map(str.__eq__, word, typed))

    close = get_close_matches(typed, folded, n=8)
    return f' (did you mean "{folded[max(close, key=likeness)]}"?)' if close else ""
