"""The one sanitiser for text that came out of a model.

A model is untrusted, and so are its names: ``onnx.checker`` accepts terminal escapes, newlines and CI commands in node,
tensor and input names. Such text travels as :class:`ModelText`, which cannot be printed by accident; only the functions
of this module turn it into something safe to show.

One function per kind of place that text can end up in:

* :func:`plain` — lines that a person or a CI log reads: terminals, log files, messages.
* :func:`exact` with :func:`inert_json` — JSON, which keeps the exact text.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

# What a terminal or a log may act on or hide: controls, format characters (bidi, zero width), lone surrogates, line and
# paragraph separators, private use, unassigned.
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"})

# The runner of GitHub Actions acts on `##[command]` anywhere in a line of stdout or stderr.
_RUNNER_COMMAND = "##["

DEFAULT_LIMIT = 1000


@dataclass(frozen=True, slots=True, order=True)
class ModelText:
    """Text from a model file. ``str()`` and f-strings refuse it, so forgetting to sanitise is an error, not a hole."""

    raw: str

    def __str__(self) -> str:
        raise TypeError("model text must be rendered through auditor.text")

    def __format__(self, spec: str) -> str:
        raise TypeError("model text must be rendered through auditor.text")

    def __bool__(self) -> bool:
        return bool(self.raw)


def exact(text: ModelText | str) -> str:
    """The text as it stands in the model. Only for what an escaping serialiser writes (see :func:`inert_json`)."""
    return text.raw if isinstance(text, ModelText) else text


def plain(text: ModelText | str, limit: int | None = DEFAULT_LIMIT) -> str:
    r"""One line of inert, visible text for terminals and logs.

    Characters of the Unicode categories Cc, Cf, Cs, Zl, Zp, Co and Cn become visible escapes (``\x1b``, ``\u202e``),
    and ``##[`` becomes ``##\x5b``. What is longer than ``limit`` characters after escaping ends in ``...`` at that
    length. The result can still *begin* with ``::``: callers begin a line with words of their own.
    """
    raw = exact(text)
    if limit is not None:
        raw = raw[: limit + 1]  # escaping never shortens, so the rest cannot show
    # ASCII printable text, nearly every name, needs no look at the single characters.
    shown = raw if raw.isascii() and raw.isprintable() else "".join(map(_visible, raw))
    shown = shown.replace(_RUNNER_COMMAND, "##\\x5b")
    if limit is not None and len(shown) > limit:
        return shown[: max(limit - 3, 0)] + "..."[:limit]
    return shown


def inert_json(document: str) -> str:
    r"""Break ``##[`` in an ASCII JSON document by writing its second ``#`` as ``\u0023``: inert bytes, equal values.

    ``#`` has no place in JSON outside strings and is never part of an escape, so the replacement cannot meet syntax.
    """
    return document.replace(_RUNNER_COMMAND, "#\\u0023[")


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _UNSAFE_CATEGORIES:
        return character
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
