"""What a search has measured, as a JSON document from which an interrupted one goes on. Pure: text in, text out.

A measurement depends on the model, the pictures, the options and the version of this program, which the document holds
as digests, and on the candidate, the number of images and whether it was timed. The budget is not among them: another
one chooses anew among the same measurements.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from auditor.facts.comparison import MeasuredChange
from auditor.repair.search.gain import Agreement, Gain, Loss, Speed, Yardstick
from auditor.repair.search.search import Measuring
from auditor.rewrite.result import RewriteError
from auditor.rewrite.strategy import Candidate
from auditor.text import ModelText, inert_json, plain
from auditor.verify.errors import ModelRejectedError
from auditor.verify.measures import MEASURES
from auditor.verify.result import Interval

SCHEMA = "aliasaudit-search/1"
MOST_BYTES = 16 << 20
_Key = tuple[str, int, bool]


class StateError(Exception):
    """A document that a search cannot go on from. The message is the rest of a line that begins with its name."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Digests of what every measurement of a search depends on."""

    model: str
    pictures: str
    options: str
    version: str


class Memory:
    """Measures what was not measured yet, and remembers the rest.

    ``keep`` is given the whole document after every measurement, ``calibration`` is a digest of the pictures that blurs
    are fitted on. A candidate that onnxruntime or a strategy refuses is remembered as refused; one that killed its
    process is tried again.

    Raises:
        StateError: ``text`` is no such document, or is one of another search.
    """

    def __init__(
        self,
        measure: Measuring,
        identity: Identity,
        calibration: str,
        keep: Callable[[str], None],
        text: str | None = None,
    ) -> None:
        self._measure = measure
        self._identity = identity
        self._calibration = calibration
        self._keep = keep
        self._known: dict[_Key, Gain | str] = {} if text is None else _read(text, identity)
        keep(self._document())  # what cannot be kept is told before time is spent on measuring

    def __len__(self) -> int:
        return len(self._known)

    def __call__(self, candidate: Candidate, images: int, timed: bool) -> Gain:
        key = self._digest(candidate), images, timed
        if key not in self._known:
            try:
                self._known[key] = self._measure(candidate, images, timed)
            except (RewriteError, ModelRejectedError) as error:
                self._known[key] = str(error)
            self._keep(self._document())
        found = self._known[key]
        if isinstance(found, str):
            raise RewriteError(found)
        return found

    def _digest(self, candidate: Candidate) -> str:
        calibration = self._calibration if any(step.calibrated for step in candidate.steps) else ""
        return digest([[asdict(step) for step in candidate.steps], calibration])

    def _document(self) -> str:
        trials = [
            {"candidate": candidate, "images": images, "timed": timed}
            | ({"failed": found} if isinstance(found, str) else {"gain": _gain_json(found)})
            for (candidate, images, timed), found in self._known.items()
        ]
        whole = {"schema": SCHEMA, **asdict(self._identity), "trials": trials}
        return inert_json(json.dumps(whole, indent=1, allow_nan=False)) + "\n"


def digest(value: object) -> str:
    """A digest of plain values; the order of keys does not count."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("ascii")).hexdigest()


def _read(text: str, identity: Identity) -> dict[_Key, Gain | str]:
    try:
        whole = json.loads(text)
        if whole["schema"] != SCHEMA:
            raise StateError("holds no search of this program: name another file")
        for name, value in asdict(identity).items():
            if whole[name] != value:
                raise StateError(f"is of a search with another {_WORDS[name]}: name another file, or delete it")
        return dict(_trial(entry) for entry in whole["trials"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise StateError("is damaged, or holds no search: name another file, or delete it") from error


_WORDS = {
    "model": "model",
    "pictures": "set of pictures (or they were changed since)",
    "options": "set of options",
    "version": "version of aliasaudit",
}


def _trial(entry: Any) -> tuple[_Key, Gain | str]:
    key = _text(entry["candidate"]), _whole(entry["images"]), _flag(entry["timed"])
    return key, _text(entry["failed"]) if "failed" in entry else _gain(entry["gain"])


def _gain_json(gain: Gain) -> dict[str, Any]:
    agreement, loss, speed = gain.agreement, gain.loss, gain.speed
    return {
        "changes": [
            {
                "measure": change.measure,
                "output": change.output.raw,
                "base": _plain_number(change.base),
                "new": _plain_number(change.new),
                "difference": _plain_number(change.difference),
                "interval": _span_json(change.interval),
                "images": change.images,
            }
            for change in gain.changes
        ],
        "leading": [change.measure for change in gain.leading],
        "agreement": agreement
        and [agreement.yardstick.value, _plain_number(agreement.value), _span_json(agreement.interval)],
        "loss": loss and [loss.yardstick.value, _plain_number(loss.value), _span_json(loss.interval)],
        "speed": speed and [speed.ratio, speed.low, speed.high, speed.rounds],
        "remarks": [*gain.remarks],
    }


def _gain(found: Any) -> Gain:
    changes = tuple(_change(one) for one in found["changes"])
    leading = {_text(name) for name in found["leading"]}
    agreement, loss, speed = found["agreement"], found["loss"], found["speed"]
    return Gain(
        changes=changes,
        leading=tuple(change for change in changes if change.measure in leading),
        agreement=None if agreement is None else Agreement(*_told(agreement)),
        loss=None if loss is None else Loss(*_told(loss)),
        speed=None if speed is None else _speed(speed),
        # Said by this program when it was written; whoever wrote it since says it too.
        remarks=tuple(plain(_text(remark), None) for remark in found["remarks"]),
    )


def _change(found: Any) -> MeasuredChange:
    name = _text(found["measure"])
    facts = MEASURES[name]
    return MeasuredChange(
        measure=name,
        output=ModelText(_text(found["output"])),
        unit=facts.unit,
        higher_is_better=facts.higher_is_better,
        base=_defined(found["base"]),
        new=_defined(found["new"]),
        difference=_defined(found["difference"]),
        interval=_span(found["interval"]),
        images=_whole(found["images"]),
    )


def _told(found: Any) -> tuple[Yardstick, float, Interval | None]:
    yardstick, value, interval = found
    return Yardstick(yardstick), _defined(value), _span(interval)


def _speed(found: Any) -> Speed:
    ratio, low, high, rounds = found
    return Speed(_number(ratio), _number(low), _number(high), _whole(rounds))


def _span_json(span: Interval | None) -> list[float] | None:
    return None if span is None else [span.low, span.high, span.confidence]


def _span(found: Any) -> Interval | None:
    if found is None:
        return None
    low, high, confidence = map(_number, found)
    return Interval(low, high, confidence)


def _plain_number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _defined(value: Any) -> float:
    """A finite number; null stands for one that is not defined."""
    return math.nan if value is None else _number(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
