"""Which rules run.

Every word of ``select``, ``extend-select`` and ``ignore`` that matches a rule has a say, and the most specific one
decides: ``ALL`` < a prefix, the longer the more specific < a code or a name. Between equally specific words the later
place decides (the command line over the file), and in one place ``ignore`` over ``select``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from auditor.choices import suggestion
from auditor.facts.rule import Rule
from auditor.policy.errors import SettingsError
from auditor.policy.settings import Selector, Settings
from auditor.policy.words import EVERYTHING, EXACT, names, specificity, unmatched


def choose(rules: Sequence[Rule], settings: Settings) -> tuple[Rule, ...]:
    """The rules to run, in the order given. Without a ``select`` those are the stable ones.

    Raises:
        SettingsError: A word matches no rule.
    """
    selected = (settings.select or ()) + settings.extend_select
    ignored = settings.ignore + tuple(word for words in settings.per_model_ignore.values() for word in words)
    for selector in (*selected, *ignored):
        if unmatched(selector.text, rules):
            known = [EVERYTHING, *(word for rule in rules for word in (rule.code, rule.name))]
            raise SettingsError(
                f'{selector.origin}: no rule is called "{selector.text}"{suggestion(selector.text, known)};'
                " `aliasaudit rule --all` lists them"
            )
    return tuple(rule for rule in rules if _runs(rule, settings))


def ignored_for(path: str, settings: Settings) -> list[Selector]:
    """What ``per-model-ignore`` says about the model at ``path``, relative to the folder of the settings file.

    A pattern without a slash is compared with the file name, any other with the whole path; ``*`` crosses slashes.
    """
    name = PurePosixPath(path).name
    return [
        selector
        for pattern, selectors in settings.per_model_ignore.items()
        if fnmatchcase(path if "/" in pattern else name, pattern)
        for selector in selectors
    ]


def is_ignored(rule: Rule, selectors: Iterable[Selector]) -> bool:
    """Whether any of the words names the rule."""
    return any(names(selector.text, rule) for selector in selectors)


def _runs(rule: Rule, settings: Settings) -> bool:
    votes = [(1, -1, True)] if settings.select is None and rule.status == "stable" else []
    for enables, selectors in (
        (True, (settings.select or ()) + settings.extend_select),
        (False, settings.ignore),
    ):
        for selector in selectors:
            rank = specificity(selector.text, rule)
            # A rule on trial or on its way out runs only where it is named itself.
            if rank == EXACT or (rank and not (enables and rule.status != "stable")):
                votes.append((rank, int(selector.origin.source), enables))
    return max(votes, key=lambda vote: (vote[0], vote[1], not vote[2]), default=(0, 0, False))[2]
