"""All named forms. Tables of targets name them; a table may name no other."""

from __future__ import annotations

from auditor.sampling.observed import ObservedNode
from auditor.targets.forms import defaults, indexing, refined, resize, resize_refined, windows
from auditor.targets.forms.form import Form

FORMS: tuple[Form, ...] = (
    *resize.FORMS,
    *windows.FORMS,
    *indexing.FORMS,
    *defaults.FORMS,
    *refined.FORMS,
    *resize_refined.FORMS,
)
BY_NAME = {form.name: form for form in FORMS}
OPERATORS = frozenset().union(*(form.operators for form in FORMS))
"""The operators of which any form is told apart."""


_MALFORMED = (ArithmeticError, LookupError, ValueError)


def forms_of(node: ObservedNode) -> tuple[Form, ...]:
    """The forms that hold on a node, in the order of the list; of a malformed node those that can be told."""
    return tuple(form for form in FORMS if node.op in form.operators and _holds(form, node))


def _holds(form: Form, node: ObservedNode) -> bool:
    try:
        return form.holds(node)
    except _MALFORMED:
        return False
