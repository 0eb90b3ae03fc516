"""Checking settings: every key known, every value of its type, every error one line that names its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from auditor.choices import suggestion
from auditor.facts.rule import OptionValue, Rule
from auditor.policy.errors import SettingsError
from auditor.policy.keys import KEYS
from auditor.policy.settings import Settings, ValueOrigin


def check_values(values: Mapping[str, object], origin: ValueOrigin) -> dict[str, Any]:
    """Checked values by key, ready for a :class:`~auditor.policy.settings.Layer`.

    Raises:
        SettingsError: A key is unknown or a value is not what its key takes.
    """
    checked: dict[str, Any] = {}
    for name, value in values.items():
        key = KEYS.get(name)
        if key is None:
            raise SettingsError(f'{origin}: unknown key "{name}"{suggestion(name, KEYS)}')
        try:
            checked[name] = key.read(value)
        except ValueError as error:
            raise SettingsError(f"{origin}: {name} {error}") from None
    return checked


def rule_options(settings: Settings, rules: Sequence[Rule]) -> dict[str, Mapping[str, OptionValue]]:
    """The options of each rule by code: its defaults overlaid with the settings.

    Raises:
        SettingsError: A rule or an option is unknown, or a value is not of its default's type.
    """
    options = {rule.code: dict(rule.options) for rule in rules}
    known = {word: rule for rule in rules for word in (rule.code, rule.name)}
    for word, values in settings.rules.items():
        rule = known.get(word)
        if rule is None:
            raise SettingsError(
                f"{settings.origin(f'rule.{word}')}: rule.{word}: there is no such rule{suggestion(word, known)}"
            )
        for option, value in values.items():
            where = f"{settings.origin(f'rule.{word}.{option}')}: rule.{word}.{option}"
            if option not in rule.options:
                has = f"its options are {', '.join(rule.options)}" if rule.options else "it has none"
                raise SettingsError(f"{where} is no option of this rule; {has}{suggestion(option, rule.options)}")
            options[rule.code][option] = _like(rule.options[option], value, where)
    return dict(options)


def _like(default: OptionValue, value: OptionValue, where: str) -> OptionValue:
    """The value as the type of the default; an integer will do for a float."""
    kind = type(default)
    if type(value) is kind:
        return value
    if kind is float and type(value) is int:
        return float(value)
    names = {int: "an integer", float: "a number", str: "a word", bool: "true or false"}
    raise SettingsError(f"{where} must be {names[kind]}")
