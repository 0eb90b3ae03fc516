"""One option and groups of options: ``radius: int | None = option(whole("PX", 1), "Largest shift.", Panel.SHIFTS)``.

A group is a class whose fields are options. An instance holds checked values, and remembers which of them were given.
Commands take groups as parameters, :mod:`auditor.cli.flags` makes flags of them. Classes are plain ones: a dataclass
costs one to three milliseconds when it is imported, and a small audit imports every group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from auditor.choices import suggestion
from auditor.options.kinds import Kind
from auditor.options.panels import Panel
from auditor.text import plain

INHERITED = "(of the group)"


class Option:
    """What is declared of an option.

    ``name`` is its field, and the keyword of a Python caller; ``flags`` are those of the command line. ``key`` is its
    name in a settings file, within ``table`` where that is not empty; an option with ``table`` None is in no file.
    ``stands_for`` is what a switch means as the value of its key. ``trusted`` options let foreign code in, so only the
    command line may turn them on. A ``program`` option stands before the command. ``required`` ones have no default.
    """

    __slots__ = (
        "default",
        "flags",
        "help",
        "key",
        "kind",
        "name",
        "panel",
        "program",
        "required",
        "shown",
        "stands_for",
        "table",
        "trusted",
    )

    def __init__(self, kind: Kind, text: str, panel: Panel, default: Any, flags: tuple[str, ...]) -> None:
        self.kind, self.help, self.panel, self.default, self.flags = kind, text, panel, default, flags
        self.shown = self.name = self.key = ""
        self.table: str | None = INHERITED
        self.stands_for: Any = None
        self.required = self.trusted = self.program = False

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        if not any(flag.startswith("--") for flag in self.flags):
            self.flags = (f"--{name.replace('_', '-')}", *self.flags)
        self.key = self.key or self.flags[0].removeprefix("--")

    @property
    def flag(self) -> str:
        """The flag that messages name."""
        return self.flags[0]

    @property
    def default_text(self) -> str:
        """The default in words, empty where there is none to speak of."""
        if self.shown or self.default is None or self.default == () or isinstance(self.default, bool | Mapping):
            return self.shown
        return f"{self.default:g}" if isinstance(self.default, float) else str(self.default)

    @property
    def sentence(self) -> str:
        """The first sentence of the help."""
        sentence, stop, _ = self.help.partition(". ")
        return f"{sentence}{stop.strip()}"

    def short_help(self, shown: str | None = None) -> str:
        """The first sentence and the default, on one line of ``--help``; ``shown`` are other words for the default."""
        default = self.default_text if shown is None else shown
        return f"{self.sentence} [default: {default}]" if default else self.sentence


def option(
    kind: Kind,
    text: str,
    panel: Panel,
    *flags: str,
    default: Any = None,
    shown: str = "",
    key: str = "",
    stands_for: Any = None,
    trusted: bool = False,
    required: bool = False,
    table: str | None = INHERITED,
    program: bool = False,
) -> Any:
    """Declare an option as the field of a group.

    ``text`` begins with the sentence for ``--help``. ``flags`` are needed where the flag is not the field's name, or
    there is a short one. ``shown`` are words for a default that is not a value. Without a ``table`` it is the group's.
    """
    if kind.switch and default is None:
        default = False
    if kind.repeatable and default is None:
        default = ()
    declared = Option(kind, text, panel, default, flags)
    declared.shown, declared.key = shown, key
    declared.stands_for, declared.trusted, declared.required = stands_for, trusted, required
    declared.table, declared.program = table, program
    return declared


def refused(name: str, error: ValueError, value: object) -> str:
    """The message on a value that cannot be read, under the name that the user gave."""
    shown = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"{name} {error}; it is {plain(shown, 60)!r}"


Some = TypeVar("Some", bound="Group")


class Group:
    """Options that belong together; frozen. ``given`` are the names of those that were given."""

    options: ClassVar[Mapping[str, Option]] = {}
    given: frozenset[str]

    def __init_subclass__(cls, table: str | None = None) -> None:
        """``table`` of a settings file holds the options, the file itself where it is empty; None: no file does."""
        cls.options = {name: value for name, value in vars(cls).items() if isinstance(value, Option)}
        for declared in cls.options.values():
            declared.table = table if declared.table == INHERITED else declared.table

    def __init__(self, **values: Any) -> None:
        unknown = values.keys() - self.options.keys()
        if unknown:
            raise TypeError(f"{type(self).__name__} has no option {min(unknown)!r}")
        for name, declared in self.options.items():
            self.__dict__[name] = values.get(name, declared.default)
        self.__dict__["given"] = frozenset(values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(self) == vars(other) | {"given": self.given}

    __hash__ = None  # type: ignore[assignment] # some values are tables

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in sorted(self.given))})"

    def but(self: Some, **values: Any) -> Some:
        """The same with other values."""
        return type(self)(**{name: getattr(self, name) for name in self.given} | values)

    def layer(self) -> dict[str, Any]:
        """What was given as the settings have it: values by key, within the table of the group."""
        values = {}
        for declared in (self.options[name] for name in self.given):
            if declared.table is not None:
                value = getattr(self, declared.name)
                values[declared.table, declared.key] = value if declared.stands_for is None else declared.stands_for
        table: dict[str, Any] = {}
        for (name, key), value in values.items():
            (table.setdefault(name, {}) if name else table)[key] = value
        return table

    @classmethod
    def by_key(cls) -> dict[str, Option]:
        """The options by their names in a settings file."""
        return {declared.key: declared for declared in cls.options.values()}

    @classmethod
    def by_keyword(cls) -> dict[str, Option]:
        """The options by the keywords of a Python caller, further spellings last."""
        known = dict(cls.options)
        for declared in cls.options.values():
            for flag in declared.flags:
                if flag.startswith("--"):
                    known.setdefault(flag[2:].replace("-", "_"), declared)
        return known

    @classmethod
    def from_keys(cls: type[Some], values: Mapping[str, object]) -> Some:
        """The group with the values of a settings file; None stands for what was not given.

        Raises:
            TypeError: A value is a word where names are listed.
            ValueError: A value is not what it must be; the message begins with its key.
        """
        return cls._read(values, cls.by_key())

    @classmethod
    def from_keywords(cls: type[Some], values: Mapping[str, object]) -> Some:
        """As :meth:`from_keys`, for the keywords of a Python caller (``images_limit``).

        Raises:
            ValueError: As there, or there is no such option; the message spells names as Python does.
        """
        return cls._read(values, cls.by_keyword())

    @classmethod
    def _read(cls: type[Some], values: Mapping[str, object], known: Mapping[str, Option]) -> Some:
        read = {}
        for name, value in values.items():
            if name not in known:
                hint = suggestion(str(name), known)
                raise ValueError(f"there is no option {name!r}{hint}; there is {', '.join(known)}")
            if value is not None:
                try:
                    read[known[name].name] = known[name].kind.read(value)
                except TypeError as error:
                    raise TypeError(f"{name} {error}") from None
                except ValueError as error:
                    raise ValueError(refused(name, error, value)) from None
        return cls(**read)
