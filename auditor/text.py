"""The one sanitiser for text that came out of a model.

A model is untrusted, and so are its names: ``onnx.checker`` accepts terminal escapes, newlines and CI commands in node,
tensor and input names. Such text travels as :class:`ModelText`, which cannot be printed by accident; only the functions
of this module turn it into something safe to show.

One function per kind of place that text can end up in:

* :func:`plain` — lines that a person or a CI log reads: terminals, log files, messages. What it leaves is also legal in
  XML 1.0, so the text of an element tree needs nothing else.
* :func:`exact` with :func:`inert_json` — JSON, which keeps the exact text.
* :func:`markup` — text and attribute values of HTML and SVG.
* :func:`markdown_code` for names and :func:`markdown_words` for our own sentences — one line of Markdown.
* :func:`runner_data` and :func:`runner_property` — the two halves of a command to the runner of GitHub Actions.
* :func:`sarif_words` — messages of SARIF, which may hold placeholders and links.
* :func:`uri` — a file path as a URI reference.
"""

from __future__ import annotations

import re
import unicodedata
from functools import total_ordering

# What a terminal or a log may act on or hide: controls, format characters (bidi, zero width), lone surrogates, line and
# paragraph separators, private use, unassigned.
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"})

# The runner of GitHub Actions acts on `##[command]` anywhere in a line of stdout or stderr.
_RUNNER_COMMAND = "##["

_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})

DEFAULT_LIMIT = 1000


@total_ordering
class ModelText:
    """Text from a model file. ``str()`` and f-strings refuse it, so forgetting to sanitise is an error, not a hole."""

    __slots__ = ("raw",)
    raw: str

    def __init__(self, raw: str) -> None:
        object.__setattr__(self, "raw", raw)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} of a ModelText cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name} of a ModelText cannot be deleted")

    def __repr__(self) -> str:
        return f"ModelText(raw={self.raw!r})"

    def __eq__(self, other: object) -> bool:
        return self.raw == other.raw if isinstance(other, ModelText) else NotImplemented

    def __lt__(self, other: ModelText) -> bool:
        return self.raw < other.raw

    def __hash__(self) -> int:
        return hash((ModelText, self.raw))

    def __reduce__(self) -> tuple[type[ModelText], tuple[str]]:
        return ModelText, (self.raw,)

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

    Examples:
        >>> from auditor import ModelText, plain
        >>> print(plain(ModelText("conv\x1b[2J")))
        conv\x1b[2J
        >>> plain("a" * 20, limit=8)
        'aaaaa...'
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


def markup(text: ModelText | str, limit: int | None = DEFAULT_LIMIT) -> str:
    """:func:`plain` text with the characters escaped that mean something in HTML and SVG, quotes included."""
    return plain(text, limit).translate(_MARKUP)


def markdown_code(text: ModelText | str, limit: int | None = DEFAULT_LIMIT) -> str:
    r"""A Markdown code span that stays one span, and one cell of a table: mentions, links and HTML are inert in it.

    The fence is longer than any run of backticks inside. Parsers disagree on how a pipe behind a backslash is escaped,
    so a pipe becomes the visible escape ``\x7c``.
    """
    shown = plain(text, limit).replace("|", "\\x7c")
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    # One space on each side is taken off again; it keeps backticks off the fence, and an empty span from being none.
    pad = " " if not shown.strip(" ") or shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def markdown_words(text: str, limit: int | None = None) -> str:
    """A sentence of our own as Markdown text inside a line: what could mark anything up is escaped."""
    return re.sub(r"([\\`*_\[\]<>~&$])", r"\\\1", plain(text, limit)).replace("|", "&#124;")


def runner_data(text: ModelText | str, limit: int | None = DEFAULT_LIMIT) -> str:
    """What stands behind the second ``::`` of a runner command."""
    return plain(text, limit).replace("%", "%25")


def runner_property(text: ModelText | str, limit: int | None = DEFAULT_LIMIT) -> str:
    """A value between a runner command's name and its second ``::``."""
    return runner_data(text, limit).replace(":", "%3A").replace(",", "%2C")


def sarif_words(text: ModelText | str, limit: int | None = DEFAULT_LIMIT) -> str:
    """A SARIF message that is text only: braces doubled (section 3.11.5), and no embedded link (section 3.11.6)."""
    shown = plain(text, limit).replace("{", "{{").replace("}", "}}")
    return re.sub(r"([\[\]])", r"\\\1", shown) if "](" in shown else shown


def uri(path: str) -> str:
    """A file path, POSIX separators, as a URI reference: relative where the path is, else with the scheme ``file``.

    Bytes of a file name that are no UTF-8 stand for themselves, as they do in the file system.
    """
    try:
        encoded = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        encoded = path.encode("utf-8", "surrogatepass")
    from urllib.parse import quote  # only reports for machines need it; an audit starts faster without

    drive = re.match(r"[A-Za-z]:/", path)
    if path.startswith("/") or drive:
        return "file://" + ("/" if drive else "") + quote(encoded, safe="/:" if drive else "/")
    return quote(encoded, safe="/")


def count_text(count: int, singular: str, plural: str | None = None) -> str:
    """``1 model``, ``2 models``."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _UNSAFE_CATEGORIES:
        return character
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
