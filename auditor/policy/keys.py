"""The keys of a settings file: how each is read and what it means. The checks and the JSON Schema come from here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any, TypeAlias

from auditor.choices import suggestion
from auditor.facts.finding import Severity
from auditor.facts.formats import Format
from auditor.onnxfile.limits import Limits
from auditor.policy.budgets import budgets_schema, read_budgets
from auditor.policy.settings import FailOn
from auditor.policy.thresholds import read_thresholds, thresholds_schema
from auditor.policy.waivers import read_waivers, waivers_schema
from auditor.verify.options import COMMAND_LINE_ONLY, OPTIONS

Schema: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """One key. ``read`` turns a plain TOML value into the checked one, or raises ValueError with what it must be."""

    meaning: str
    read: Callable[[object], Any]
    schema: Schema


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(word, str) and word for word in value):
        raise ValueError("must be a list of words")
    return tuple(value)


def _one_of(kind: type[Enum]) -> Callable[[object], Any]:
    def read(value: object) -> Any:
        try:
            return kind(value)
        except ValueError:
            known = [str(member.value) for member in kind]
            hint = suggestion(value, known) if isinstance(value, str) else ""
            raise ValueError(f"must be one of {', '.join(known)}{hint}") from None

    return read


def _word_table(value: object) -> dict[str, tuple[str, ...]]:
    return {pattern: _within(pattern, _words, words) for pattern, words in _table(value).items()}


def _limits(value: object) -> dict[str, int]:
    limits = _table(value)
    for name, limit in limits.items():
        if name not in LIMIT_NAMES:
            raise ValueError(f'has no limit "{name}"{suggestion(name, LIMIT_NAMES)}')
        if not isinstance(limit, int) or isinstance(limit, bool) or limit <= 0:
            raise ValueError(f'needs a positive integer for "{name}"')
    return limits


def read_shape(value: object) -> tuple[int, ...]:
    """``1x3x224x224``, or the same as a list of integers.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(x[0-9]{1,9})*", value):
        value = [int(size) for size in value.split("x")]
    sizes = value if isinstance(value, list) else []
    if not sizes or not all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes):
        raise ValueError("must be a shape of positive sizes such as 1x3x224x224")
    return tuple(sizes)


def _shapes(value: object) -> dict[str, tuple[int, ...]]:
    return {name: _within(name, read_shape, shape) for name, shape in _table(value).items()}


def _rules(value: object) -> dict[str, dict[str, Any]]:
    rules = {rule: _within(rule, _table, options) for rule, options in _table(value).items()}
    for rule, options in rules.items():
        for option, setting in options.items():
            if not isinstance(setting, int | float | str | bool):
                raise ValueError(f'needs a number, a word, or true or false for "{rule}.{option}"')
    return rules


def _verify(value: object) -> dict[str, Any]:
    """Options by name, and tables of options by the pattern of the models that they are for."""
    options = _table(value)
    for name, option in options.items():
        if isinstance(option, dict):
            if any(isinstance(inner, dict) for inner in option.values()):
                raise ValueError(f'entry "{name}" must hold options only')
            _within(name, _verify, option)
        elif name not in OPTIONS:
            raise ValueError(f'has no option "{name}"{suggestion(name, OPTIONS)}')
        elif isinstance(option, bool) or not isinstance(option, int | float | str | list):
            raise ValueError(f'needs a number or text for "{name}"')
    return options


def _file(value: object) -> Path:
    if not isinstance(value, str) or not value:
        raise ValueError("must be the path of a file")
    return Path(value)


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _table(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be a table")
    return value


def _within(name: str, read: Callable[[object], Any], value: object) -> Any:
    try:
        return read(value)
    except ValueError as error:
        raise ValueError(f'entry "{name}" {error}') from None


def _enum_schema(kind: type[Enum]) -> Schema:
    return {"enum": [member.value for member in kind]}


LIMIT_NAMES = tuple(field.name.replace("_", "-") for field in fields(Limits))

_WORD_LIST: Schema = {"type": "array", "items": {"type": "string", "minLength": 1}}
_SHAPE: Schema = {
    "oneOf": [
        {"type": "string", "pattern": "^[0-9]{1,9}(x[0-9]{1,9})*$"},
        {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1},
    ]
}

_MEASURING: Mapping[str, Schema] = {
    name: {"description": meaning, "type": ["number", "string", "array"]}
    for name, meaning in OPTIONS.items()
    if name not in COMMAND_LINE_ONLY
}

KEYS: Mapping[str, Key] = {
    "select": Key("The rules to run: codes, prefixes, names, or ALL.", _words, _WORD_LIST),
    "extend-select": Key("Rules to run on top of the selected ones.", _words, _WORD_LIST),
    "ignore": Key("Rules not to run; the more specific word wins.", _words, _WORD_LIST),
    "per-model-ignore": Key(
        "Rules not to run on the models whose path matches a pattern, relative to this file.",
        _word_table,
        {"type": "object", "additionalProperties": _WORD_LIST},
    ),
    "fail-on": Key("The lowest severity that makes the exit code 1.", _one_of(FailOn), _enum_schema(FailOn)),
    "min-severity": Key("The lowest severity to report at all.", _one_of(Severity), _enum_schema(Severity)),
    "output-format": Key("The format of the report.", _one_of(Format), _enum_schema(Format)),
    "rule-dirs": Key(
        "Folders of rule packs, relative to this file; their code runs, so --allow-rule-dirs must be given.",
        _words,
        _WORD_LIST,
    ),
    "input-shapes": Key(
        "The full shape of an input by its name, where the model leaves it open.",
        _shapes,
        {"type": "object", "additionalProperties": _SHAPE},
    ),
    "limits": Key(
        "Bounds on one model file.",
        _limits,
        {
            "type": "object",
            "properties": {name: {"type": "integer", "minimum": 1} for name in LIMIT_NAMES},
            "additionalProperties": False,
        },
    ),
    "rule": Key(
        "Options of single rules, by code or name.",
        _rules,
        {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": {"type": ["number", "string", "boolean"]},
            },
        },
    ),
    "waiver": Key("Findings that are accepted, each with a reason.", read_waivers, waivers_schema()),
    "baseline": Key(
        "The file of known findings, relative to this file; only new ones fail.",
        _file,
        {"type": "string", "minLength": 1},
    ),
    "budget": Key(
        "How many findings of a rule, subsampling and alias energy one model may have; and tables by path pattern.",
        read_budgets,
        budgets_schema(),
    ),
    "compare": Key("What a model that replaces another must hold.", read_thresholds, thresholds_schema()),
    "strict": Key("Waivers and entries of the baseline that match nothing fail the run.", _switch, {"type": "boolean"}),
    "verify": Key(
        "How models are measured: options of the command verify, and tables of them by path pattern.",
        _verify,
        {
            "type": "object",
            "properties": _MEASURING,
            "additionalProperties": {"type": "object", "properties": _MEASURING, "additionalProperties": False},
        },
    ),
}


def settings_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``aliasaudit.toml`` and of ``[tool.aliasaudit]`` in pyproject.toml."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "aliasaudit settings",
        "type": "object",
        "properties": {name: {"description": key.meaning, **key.schema} for name, key in KEYS.items()},
        "additionalProperties": False,
    }
