"""What several rules share: the sites they look at, the severity behind an alias energy, and how numbers are worded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from auditor.facts.finding import Finding, Severity
from auditor.facts.policy import WaiverFact
from auditor.facts.rule import Context, Rule
from auditor.onnxfile.noderef import NodeRef
from auditor.sampling.result import Site, SiteKind

# Of expected alias energy. At stride 2, 0.25 is no filter at all on a hidden map, and 0.1 lies between max-pools of 3x3
# and 2x2. What folds of the picture is inherited by everything behind it, and nothing smooths it first.
ALIAS_OPTIONS: Mapping[str, float] = {"error": 0.25, "warning": 0.1, "picture-error": 0.1, "picture-warning": 0.03}
ALIAS_SEVERITIES = (Severity.ERROR, Severity.WARNING, Severity.NOTE)

_HUGE = Fraction(10**15)


def open_sites(context: Context, *kinds: SiteKind) -> Iterator[Site]:
    """The sites of these kinds that lack a low-pass, in graph order."""
    return (site for site in context.analysis.sites if site.kind in kinds and site.unprotected)


def alias_finding(rule: Rule, context: Context, site: Site, does: str, advice: str) -> Finding:
    """The finding on a site whose severity is its alias energy; ``does`` says what the node does, no full stop."""
    return Finding(
        rule=rule.code,
        name=rule.name,
        severity=alias_severity(site, context),
        message=f"{does}: {_alias_words(site)}.",
        advice=advice,
        node=site.node,
        related=site.members,
        numbers=site_numbers(site),
    )


def site_finding(rule: Rule, site: Site, severity: Severity, message: str, advice: str) -> Finding:
    """The finding on a site whose severity is decided by something else than its alias energy."""
    return Finding(rule.code, rule.name, severity, message, advice, site.node, site.members, site_numbers(site))


def node_finding(
    rule: Rule,
    node: NodeRef | None,
    severity: Severity,
    message: str,
    advice: str,
    numbers: Mapping[str, float | int | str],
) -> Finding:
    """The finding on a node that is no site, or (``node`` None) on the whole graph."""
    return Finding(rule.code, rule.name, severity, message, advice, node, (), numbers)


def alias_severity(site: Site, context: Context) -> Severity:
    """Error, warning or note by the expected alias energy.

    A warning where there is none, since silence would pass it, and at least that where the picture is decimated without
    a filter: little of it folds, and what does is seen.
    """
    alias = site.alias
    if alias is None or alias.expected is None:
        return Severity.WARNING
    place = "picture-" if alias.picture else ""
    if alias.expected >= float(context.options[f"{place}error"]):
        return Severity.ERROR
    bare = alias.picture and unfiltered(site)
    return Severity.WARNING if bare or alias.expected >= float(context.options[f"{place}warning"]) else Severity.NOTE


def unfiltered(site: Site) -> bool:
    """Whether nothing in front of a subsampling filters at all."""
    alias = site.alias
    if alias is None or len(alias.per_axis) != len(site.factor):
        return False
    bare = [float(1 - 1 / max(abs(step), Fraction(1))) for step in site.factor]
    return all(share > 0.99 * most for share, most in zip(alias.per_axis, bare, strict=True))


def site_numbers(site: Site) -> dict[str, float | int | str]:
    """The values behind a finding on a site. Factors are the largest over the axes; what is not known is left out."""
    numbers: dict[str, float | int | str] = {"factor": number(largest(site.factor))}
    cumulative = [abs(value) for value in site.cumulative if value is not None]
    if cumulative:
        numbers["cumulative"] = number(max(cumulative))
    if site.alias is not None:
        numbers["alias_energy"] = round(site.alias.flat, 4)
        numbers["alias_energy_worst_channel"] = round(site.alias.worst_channel, 4)
        if site.alias.expected is not None:
            numbers["alias_energy_expected"] = round(site.alias.expected, 4)
    if site.skipped:
        numbers["skipped"] = round(float(site.skipped), 4)
    return numbers


def largest(values: tuple[Fraction, ...]) -> Fraction:
    """The largest magnitude over the axes, 1 without axes."""
    return max((abs(value) for value in values), default=Fraction(1))


def number(value: Fraction | float) -> int | float:
    """An exact integer as int, else a float of four decimals; cut at 10^15, which only crafted files pass."""
    value = max(min(Fraction(value), _HUGE), -_HUGE)
    return value.numerator if value.denominator == 1 else round(float(value), 4)


def dims(values: tuple[int, ...]) -> str:
    """Sizes per axis as people write them: ``3x3``."""
    return "x".join(str(value) for value in values)


def steps(values: Sequence[Fraction | int]) -> str:
    """One number per axis, said once where all axes agree: ``2``, ``2x1``, ``1.5``."""
    words = [str(number(abs(Fraction(value)))) for value in values]
    return words[0] if len(set(words)) == 1 else "x".join(words)


def percent(share: float) -> str:
    """A share as a percentage, with a decimal where a whole number would read as nothing or everything."""
    if 0.995 <= share < 1:
        return f"{100 * min(share, 0.999):.1f} %"
    return f"{100 * share:.1f} %" if 0 < share < 0.1 else f"{100 * share:.0f} %"


def low_pass(site: Site) -> str:
    """The blur that suits a site's factor: binomials of up to seven taps pass far too much at four or more."""
    factor = largest(site.factor)
    if factor <= 2:
        return "a Tri-3 or Bin-5 blur"
    if factor < 4:
        return "a Bin-5 or Bin-7 blur"
    return f"a low-pass made for a factor of {number(factor)} (a box of that size convolved with a binomial)"


def waiver_words(waiver: WaiverFact) -> str:
    """A waiver as the subject of a sentence: by its place in the settings, since its patterns may name nodes."""
    owner = f", owned by {waiver.owner}," if waiver.owner else ""
    return f"Waiver number {waiver.number} ({waiver.rule}){owner}"


RETRAIN = "A network that was trained without it loses accuracy until it is fine-tuned or calibrated."


def _alias_words(site: Site) -> str:
    """How much folds, or why that is not known."""
    if site.alias is None:
        if site.kind in (SiteKind.CONV, SiteKind.PATCH_EMBEDDING):
            return "its weights could not be read, so how much folds is not known"
        return "how much folds could not be computed"
    alias = site.alias
    if alias.expected is None:
        words = f"{percent(alias.flat)} of a flat spectrum folds"
        what = f", and how much of real activations is not known: {alias.missing}"
    else:
        words = f"about {percent(alias.expected)} of what it samples is expected to fold"
        what = f" (half to twice that on photographs; {percent(alias.flat)} of a flat spectrum)"
    if site.averaged is not None:
        kept, possible = site.averaged
        return f"{words} even in the mean over {kept} of its {possible} phases{what}"
    return words + what
