"""AA405 degenerate-predictions: the answers do not depend on the pictures as they should: the preprocessing is wrong.

Three signs, each against what a model that sees its pictures would show:

* nearly all images get one class;
* the images get far fewer classes than there are among their labels, or than so many images would draw from the model's
  classes (not asked of the built-in pictures, most of which are synthetic and alike);
* with labels, as many answers are right as would be if answers and labels were shuffled, and so few that agreeing
  half-way between chance and always is ruled out (Cohen's kappa of about 0, certainly below 0.5).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule

from ._common import node_finding, percent

if TYPE_CHECKING:
    from auditor.verify.result import OutputResult

_ADVICE = (
    "Check --preset, --mean, --std, --channels (RGB or BGR) and --layout against the training code. "
    "If the images really are of so few classes, change the options of this rule."
)
_LABELS = (
    "Check --preset, --mean, --std, --channels (RGB or BGR) and --layout against the training code, and that the "
    "labels count the classes as the model does."
)
# Fewer classes than this say nothing by being few.
_FEWEST_CLASSES = 10
_AT_CHANCE = 0.05
_RULED_OUT = 0.01
_HALF_WAY = 0.5


def check(context: Context) -> Iterator[Finding]:
    """Yield at most one finding per classifier output: the first of the three signs that it shows."""
    verification = context.verification
    for output in verification.outputs if verification is not None else ():
        images = sum(count for _, count in output.predictions)
        if images < int(context.options["images"]):
            continue
        builtin = verification is not None and verification.data.kind.value == "builtin"
        found = _one_class(output, images, context) or _at_chance(output)
        if found is None and not builtin:
            found = _few_classes(output, images, context)
        if found is not None:
            yield found


def _one_class(output: OutputResult, images: int, context: Context) -> Finding | None:
    label, most = output.predictions[0]
    share = float(context.options["share"])
    # Images that are labelled with one class may well get it.
    if most / images < share or output.labels.get(label, 0) / images >= share:
        return None
    return node_finding(
        RULE,
        None,
        Severity.ERROR,
        f"{percent(most / images)} of {images} images get class {label}: the model does not see what it was "
        "trained on, and its consistency says nothing.",
        _ADVICE,
        {"class": label, "share": round(most / images, 4), "images": images},
    )


def _few_classes(output: OutputResult, images: int, context: Context) -> Finding | None:
    distinct = len(output.predictions)
    labels = output.labels
    if labels:
        expected, words, severity = float(len(labels)), f"the labels {len(labels)}", Severity.ERROR
    elif output.classes:
        expected = output.classes * -math.expm1(images * math.log1p(-1 / output.classes)) if output.classes > 1 else 1.0
        words, severity = f"the model knows {output.classes}", Severity.WARNING
    else:
        return None
    if expected < _FEWEST_CLASSES * 0.9 or distinct > float(context.options["classes"]) * expected:
        return None
    return node_finding(
        RULE,
        None,
        severity,
        f"{images} images get {distinct} classes only, {words}: the model does not see what it was trained on, and "
        "its consistency says nothing.",
        _ADVICE,
        {"classes": distinct, "images": images},
    )


def _at_chance(output: OutputResult) -> Finding | None:
    pairs = [(image.label, image.reference) for image in output.images if image.label is not None]
    labels, answers = Counter(label for label, _ in pairs), Counter(answer for _, answer in pairs)
    count = len(pairs)
    # Images of one class cannot be told from shuffled ones.
    if len(labels) < 2:
        return None
    right = sum(label == answer for label, answer in pairs)
    chance = sum(labels[name] * answers[name] for name in labels) / count**2
    if _at_least(right, count, chance) < _AT_CHANCE or _at_most(right, count, chance + _HALF_WAY * (1 - chance)) >= (
        _RULED_OUT
    ):
        return None
    return node_finding(
        RULE,
        None,
        Severity.ERROR,
        f"{right} of {count} labelled images get the right class, as many as by chance: the model does not see what it "
        "was trained on, or the labels are not its classes, and its consistency says nothing.",
        _LABELS,
        {"accuracy": round(right / count, 4), "chance": round(chance, 4), "images": count},
    )


def _at_least(right: int, count: int, share: float) -> float:
    """The probability of so many right answers or more where each is right with the probability ``share``."""
    return 1.0 if right == 0 else 1 - _at_most(right - 1, count, share)


def _at_most(right: int, count: int, share: float) -> float:
    if share <= 0 or right >= count:
        return 1.0
    if share >= 1:
        return 0.0
    terms = (
        math.lgamma(count + 1)
        - math.lgamma(k + 1)
        - math.lgamma(count - k + 1)
        + k * math.log(share)
        + (count - k) * math.log1p(-share)
        for k in range(right + 1)
    )
    return min(1.0, math.fsum(math.exp(term) for term in terms))


RULE = Rule(
    code="AA405",
    name="degenerate-predictions",
    summary="The answers are one class, few classes or no better than chance: the preprocessing is wrong.",
    severities=(Severity.ERROR, Severity.WARNING),
    check=check,
    options={"share": 0.9, "images": 16, "classes": 0.2},
    needs=frozenset({Need.MEASUREMENT}),
)
