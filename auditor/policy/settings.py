"""Settings: what can be set, what each value was, and where it came from.

Values come in layers: defaults, then one settings file, then the environment, then the command line. A later layer
replaces the value of an earlier one, except for the selection of rules (see :mod:`auditor.policy.select`) and for the
tables, whose entries are replaced one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from enum import Enum, IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.document import Documented
from auditor.facts.finding import Severity
from auditor.facts.formats import Format
from auditor.facts.rule import OptionValue
from auditor.onnxfile.limits import Limits

if TYPE_CHECKING:
    from auditor.policy.budgets import Budgets
    from auditor.policy.waivers import Waiver


class FailOn(str, Enum):
    """The lowest severity that fails the run."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    NEVER = "never"


class Source(IntEnum):
    """The kinds of places that a value can come from; a later one wins."""

    DEFAULT = 0
    FILE = 1
    ENVIRONMENT = 2
    COMMAND_LINE = 3


@dataclass(frozen=True, slots=True, order=True)
class ValueOrigin:
    """Where a value came from. ``detail`` is the file, the variable, or the option."""

    source: Source
    detail: str = ""

    def __str__(self) -> str:
        return self.detail or self.source.name.lower().replace("_", " ")


DEFAULT = ValueOrigin(Source.DEFAULT)


@dataclass(frozen=True, slots=True)
class Selector:
    """A word that names rules: ``ALL``, a prefix (``AA1``), a code or a name; and where it was given."""

    text: str
    origin: ValueOrigin


@dataclass(frozen=True, slots=True, repr=False)
class Settings(Documented):
    """The resolved settings.

    ``select`` is None where nobody chose: then every stable rule of the built-in and of the named packs runs. Keys of
    ``per_model_ignore`` are file name patterns relative to ``root``: the folder of the settings file, or without one
    the root of the project. ``targets`` are the runtimes to audit for, with versions where they matter
    (``tensorrt>=10``). ``input_shapes`` maps an input's name to its full shape. ``rules`` maps a rule's code or
    name to its options. ``verify`` are the options of a measurement by name, and tables of them by file name pattern.
    ``waivers`` are the accepted findings, ``baseline`` is the file of known ones, ``compare`` holds the thresholds of a
    comparison by key (see :mod:`auditor.policy.thresholds`). ``strict``: waivers and entries of the baseline that have
    become pointless fail the run. ``today`` is the day on which waivers are judged; None where none of them expires.
    ``origins`` holds the origin of every key by its name in a settings file, with dots into tables
    (``limits.max-nodes``).
    """

    select: tuple[Selector, ...] | None = None
    extend_select: tuple[Selector, ...] = ()
    ignore: tuple[Selector, ...] = ()
    per_model_ignore: Mapping[str, tuple[Selector, ...]] = field(default_factory=dict)
    fail_on: FailOn = FailOn.ERROR
    min_severity: Severity = Severity.NOTE
    output_format: Format = Format.TEXT
    rule_dirs: tuple[Path, ...] = ()
    targets: tuple[str, ...] = ()
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    rules: Mapping[str, Mapping[str, OptionValue]] = field(default_factory=dict)
    verify: Mapping[str, Any] = field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()
    baseline: Path | None = None
    budgets: Budgets | None = None
    compare: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False
    today: date | None = None
    root: Path = field(default_factory=Path)
    origins: Mapping[str, ValueOrigin] = field(default_factory=dict)

    def __repr__(self) -> str:
        unset = Settings(root=self.root, origins=self.origins)
        names = [item.name for item in fields(self) if getattr(self, item.name) != getattr(unset, item.name)]
        return f"<Settings: {'defaults' if not names else 'sets ' + ', '.join(names)}>"

    def origin(self, key: str) -> ValueOrigin:
        """Where the value of a key (``fail-on``, ``limits.max-nodes``) came from."""
        return self.origins.get(key, DEFAULT)


@dataclass(frozen=True, slots=True)
class SettingsLayer:
    """Checked values from one place, by key. ``root`` is the folder of the settings file."""

    origin: ValueOrigin
    values: Mapping[str, Any]
    root: Path | None = None


def resolve(layers: Sequence[SettingsLayer]) -> Settings:
    """Overlay the layers, the first one lowest; values have passed :func:`auditor.policy.validate.check_values`."""
    origins: dict[str, ValueOrigin] = {}
    scalars: dict[str, Any] = {}
    tables: dict[str, dict[str, Any]] = {
        "per-model-ignore": {},
        "input-shapes": {},
        "limits": {},
        "rule": {},
        "verify": {},
        "compare": {},
    }
    chosen: dict[str, tuple[Selector, ...]] = {}
    root = Path()
    for layer in layers:
        root = layer.root or root
        if "select" in layer.values:  # starts afresh, but what was ignored stays so unless something names it
            chosen.pop("extend-select", None)
            chosen.pop("select", None)
        for key, value in layer.values.items():
            origins[key] = layer.origin
            if key in tables:
                origins |= {f"{key}.{name}": layer.origin for name in value}
            if key in ("select", "extend-select", "ignore"):
                chosen[key] = chosen.get(key, ()) + _selectors(value, layer.origin)
            elif key == "per-model-ignore":
                tables[key] |= {pattern: _selectors(words, layer.origin) for pattern, words in value.items()}
            elif key == "rule":
                for rule, options in value.items():
                    tables[key][rule] = tables[key].get(rule, {}) | options
                    origins |= {f"rule.{rule}.{option}": layer.origin for option in options}
            elif key in tables:
                tables[key] |= value
            else:
                scalars[key] = value
    values = {_FIELDS.get(key, key.replace("-", "_")): value for key, value in (tables | scalars | chosen).items()}
    values["limits"] = Limits(**{name.replace("-", "_"): value for name, value in tables["limits"].items()})
    words = {name: kind(values[name]) for name, kind in _WORDS.items() if name in values}
    return Settings(**values | words, root=root, origins=origins)


_FIELDS = {"rule": "rules", "waiver": "waivers", "budget": "budgets"}
_WORDS: Mapping[str, type[Enum]] = {"fail_on": FailOn, "min_severity": Severity, "output_format": Format}


def _selectors(words: Sequence[str], origin: ValueOrigin) -> tuple[Selector, ...]:
    return tuple(Selector(word, origin) for word in words)
