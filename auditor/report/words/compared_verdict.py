"""What a comparison comes to, in one word and one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditor.facts.comparison import Comparison, ComparisonVerdict, MeasuredChange
from auditor.report.words.numbers import factor_text
from auditor.report.words.sentence import Sentence
from auditor.text import count_text, plain
from auditor.verify.verdict import Condition, Verdict, needed_words

_FLOOR = "min"  # the threshold that asks nothing of the base
_Asked = tuple[MeasuredChange, Condition]


def verdict_word(found: Comparison) -> str:
    """``WORSE``, ``NO DIFFERENCE FOUND``: the headline in capitals."""
    return found.headline.value.replace("-", " ").upper()


_SENTENCES = {
    ComparisonVerdict.WORSE: ("This model is ", "worse", " than {}."),
    ComparisonVerdict.MINIMUM_NOT_HELD: ("This model is ", "below the minimum", " that is asked for."),
    ComparisonVerdict.UNDECIDED: ("Whether this model is worse than {} is ", "undecided", "."),
    ComparisonVerdict.NO_DIFFERENCE_FOUND: ("", "No difference", " to {} was found."),
    ComparisonVerdict.BETTER: ("This model is ", "better", " than {}."),
    ComparisonVerdict.SAME_MODEL: ("This is the ", "same model", " as {}."),
}


def verdict_sentence(found: Comparison) -> Sentence:
    """The verdict for the top of a page."""
    base = plain(found.base).rpartition("/")[2]
    start, accent, end = _SENTENCES[found.headline]
    return Sentence(start.format(base), accent, end.format(base))


def headline(found: Comparison) -> str:
    """The verdict and why, in one line without a full stop."""
    why = reason(found)
    return f"{verdict_word(found)}: {why}" if why else verdict_word(found)


def reason(found: Comparison) -> str:
    """Why the verdict is as it is: the measure that decided and what is allowed, or what changed in the graphs."""
    if found.headline is ComparisonVerdict.SAME_MODEL:
        return "equal graph and weights"
    changes = list(graph_changes(found))
    if found.verdict is None and found.graph_verdict is ComparisonVerdict.UNDECIDED:
        weigh = "" if found.not_measured else "; --verify measures which weighs more"
        both = f"better and worse: {', '.join(changes)}{weigh}"
        return both if changes else "the graphs were not compared"
    if found.verdict is None:
        return ", ".join(changes) or "the graphs have the same sites and findings"
    clauses = list(_measured(found))
    if found.graph_verdict is ComparisonVerdict.WORSE and found.verdict is not ComparisonVerdict.WORSE:
        clauses.append(f"but in the graph {', '.join(changes)}")
    clauses += [found.looks.short] if found.looks is not None else []
    return "; ".join(clauses)


def graph_changes(found: Comparison) -> Iterator[str]:
    """What changed in the graphs, each in a few words; nothing where they are alike."""
    worse = sum(kept.worse for kept in found.kept)
    counts = [(len(found.added), "added"), (worse, "worse"), (len(found.fixed), "fixed")]
    yield from (f"{count_text(count, 'finding')} {word}" for count, word in counts if count)
    sites = [(len(found.new_sites), "new"), (len(found.removed_sites), "gone")]
    yield from (f"{count_text(count, 'sampling site')} {word}" for count, word in sites if count)
    if found.before != found.after:
        yield f"cumulative factor {factor_text(found.before)} to {factor_text(found.after)}"
    moved = [output.grid for output in found.outputs if output.grid is not None]
    yield from (f"an output moved by {factor_text(grid.shift)} px" for grid in moved[:1] if grid.shift)
    for sign, words in ((1, ("folds more", "fold more")), (-1, ("folds less", "fold less"))):
        count = sum(sign * site.moved > 0 for site in found.changed_sites)
        yield from [f"{count_text(count, 'sampling site')} {words[count > 1]}"] * bool(count)


def undecided(found: Comparison | None) -> bool:
    """Whether no threshold fails, and one cannot be judged with the images that there are."""
    verdicts = {condition.verdict for _, condition in found.asked} if found is not None else set()
    return Verdict.INCONCLUSIVE in verdicts and Verdict.FAIL not in verdicts


def _measured(found: Comparison) -> Iterator[str]:
    drops = [(change, condition) for change, condition in found.asked if condition.name != _FLOOR]
    floors = [(change, condition) for change, condition in found.asked if condition.name == _FLOOR]
    if found.against_base is ComparisonVerdict.WORSE:
        yield from (f"{_moved(change)} ({_allowed(change, limit)})" for change, limit in _of(drops, Verdict.FAIL))
    yield from (
        f"{_is(change)}, and {limit_text(change, limit)} is the minimum" for change, limit in _of(floors, Verdict.FAIL)
    )
    if found.verdict is ComparisonVerdict.UNDECIDED:
        yield from _open(drops, floors)
    if found.verdict is ComparisonVerdict.BETTER:
        yield from (f"{_moved(change)}{_span(change)}" for change, _ in drops)
    if found.verdict is ComparisonVerdict.NO_DIFFERENCE_FOUND:
        yield from (f"{change.measure} is at most {limit_text(change, limit)}" for change, limit in drops)


def _open(drops: Sequence[_Asked], floors: Sequence[_Asked]) -> Iterator[str]:
    """What the first threshold that nobody can judge yet rests on, and how many images would decide it."""
    change, condition = [*_of(drops, Verdict.INCONCLUSIVE), *_of(floors, Verdict.INCONCLUSIVE)][0]
    if condition.name == _FLOOR:
        yield f"{_is(change)}, and whether it surely holds the minimum of {limit_text(change, condition)} is open"
    else:
        yield _looks(change, condition)
    yield needed_words(condition.images_needed, condition.images_enough)


def _of(asked: Sequence[_Asked], verdict: Verdict) -> list[_Asked]:
    return [(change, condition) for change, condition in asked if condition.verdict is verdict]


def _looks(change: MeasuredChange, condition: Condition) -> str:
    if change.ratio is not None:
        return f"{_moved(change)}{_span(change)}, and {_allowed(change, condition)}"
    gain = change.difference if change.higher_is_better else -change.difference
    words = f"{change.measure} looks {_amount(change, gain)} {'better' if gain > 0 else 'worse'}"
    if _amount(change, gain) == _amount(change, 0.0):
        words = f"{change.measure} looks the same"
    span = change.interval
    loss = 0.0 if span is None else -span.low if change.higher_is_better else span.high
    if condition.name == "max-absolute-drop" and loss > condition.limit:
        words += f" and may be {_amount(change, loss)} worse ({_allowed(change, condition)})"
    return words


def _moved(change: MeasuredChange) -> str:
    """``consistency fell by 6.6 points``."""
    if change.ratio is not None:
        rise = change.ratio.value - 1
        word = "rose" if rise > 0 else "fell"
        return f"{change.measure} {word} by {100 * abs(rise):.3g} % on the typical image"
    word = "rose" if change.difference > 0 else "fell"
    return f"{change.measure} {word} by {_amount(change, change.difference)}"


def _span(change: MeasuredChange) -> str:
    """The interval of the change in brackets; empty where there is none."""
    if change.ratio is not None:
        ends = change.ratio.interval
        return "" if ends is None else f" (x{ends.low:.2f} to x{ends.high:.2f})"
    span = change.interval
    if span is None:
        return ""
    scale, form = (100, ".1f") if change.unit == "share" else (1, ".3f")
    return f" ({scale * span.low:+{form}} to {scale * span.high:+{form}})"


def _amount(change: MeasuredChange, value: float) -> str:
    if change.unit == "share":
        return f"{100 * abs(value):.1f} points"
    return f"{abs(value):.2f} px" if change.unit == "px" else f"{abs(value):.3f}"


def _is(change: MeasuredChange) -> str:
    return (
        f"{change.measure} is {100 * change.new:.1f} %"
        if change.unit == "share"
        else f"{change.measure} is {change.new:.3f}"
    )


def limit_text(change: MeasuredChange, condition: Condition) -> str:
    """What a threshold allows: ``2 points worse``."""
    if condition.name == "max-jitter-rise":
        return f"{100 * condition.limit:.4g} % higher"
    if condition.name == "max-relative-drop":
        return f"{100 * condition.limit:.4g} % of the base worse"
    share = change.unit == "share"
    if condition.name == _FLOOR:
        return f"{100 * condition.limit:.4g} %" if share else f"{condition.limit:g}"
    points = count_text(1, "point") if condition.limit == 0.01 else f"{100 * condition.limit:.4g} points"
    return f"{points} worse" if share else f"{condition.limit:g} worse"


def _allowed(change: MeasuredChange, condition: Condition) -> str:
    words = limit_text(change, condition).removesuffix(" worse").removesuffix(" higher")
    return f"{words} allowed"
