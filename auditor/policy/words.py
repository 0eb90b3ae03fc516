"""How settings name rules and models: prefixes, patterns, and what no rule matches."""

from __future__ import annotations

import re
from collections.abc import Iterable

from auditor.facts.rule import Rule

EVERYTHING = "ALL"
EXACT = 1000  # more than the length of any prefix


def names(word: str, rule: Rule) -> bool:
    """Whether a word (``ALL``, a prefix, a code or a name) names the rule."""
    return specificity(word, rule) > 0


def unmatched(word: str, rules: Iterable[Rule]) -> bool:
    """Whether a word names no rule at all."""
    return not any(names(word, rule) for rule in rules)


def specificity(word: str, rule: Rule) -> int:
    """How closely a word names a rule; 0 where it does not."""
    if word in (rule.code, rule.name):
        return EXACT
    if word == EVERYTHING:
        return 1
    return 1 + len(word) if re.fullmatch(r"[A-Z]{2,}[0-9]*", word) and rule.code.startswith(word) else 0
