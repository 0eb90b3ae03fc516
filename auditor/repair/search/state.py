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
from dataclasses import asdict, astuple, dataclass
from typing import Any, TypeAlias

from msgspec import structs

from auditor.codec import FloatOrNan, convert, parse
from auditor.facts.comparison import MeasuredChange, TypicalRatio
from auditor.repair.search.gain import Agreement, Gain, Loss, Speed, Yardstick
from auditor.repair.search.search import MeasureCandidate
from auditor.rewrite.result import RewriteError
from auditor.rewrite.strategy import Candidate
from auditor.text import ModelText, inert_json, plain
from auditor.verify.errors import ModelRejectedError
from auditor.verify.interval import Interval
from auditor.verify.measures import MEASURES

SCHEMA = "aliasaudit-search/1"
MOST_BYTES = 16 << 20
_Key: TypeAlias = tuple[str, int, bool]
_Span: TypeAlias = tuple[float, float, float]


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
        measure: MeasureCandidate,
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
        trials = [_written(key, found) for key, found in self._known.items()]
        whole = {"schema": SCHEMA, **asdict(self._identity), "trials": trials}
        return inert_json(json.dumps(whole, indent=1, allow_nan=False)) + "\n"


def digest(value: object) -> str:
    """A digest of plain values; the order of keys does not count."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class _Change:
    """A measured change; what its measure says of itself is not kept."""

    measure: str
    output: ModelText
    base: FloatOrNan
    new: FloatOrNan
    difference: FloatOrNan
    interval: _Span | None
    images: int
    protocol: str = ""
    ratio: tuple[FloatOrNan, _Span | None, FloatOrNan, FloatOrNan] | None = None
    unseen: float | None = None

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise ValueError("there is no such measure")


@dataclass(frozen=True, slots=True)
class _Gain:
    """A gain: ``leading`` by the names of the measures, yardsticks and times as lists."""

    changes: tuple[_Change, ...]
    leading: tuple[str, ...]
    agreement: tuple[Yardstick, FloatOrNan, _Span | None] | None
    loss: tuple[Yardstick, FloatOrNan, _Span | None] | None
    speed: tuple[float, float, float, int] | None
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Trial:
    """What was measured of a candidate on so many images, or why it failed."""

    candidate: str
    images: int
    timed: bool
    gain: _Gain | None = None
    failed: str | None = None

    def __post_init__(self) -> None:
        if (self.gain is None) == (self.failed is None):
            raise ValueError("expected a gain or why it failed")


@dataclass(frozen=True, slots=True)
class _SavedState(Identity):
    """The document."""

    schema: str
    trials: tuple[_Trial, ...]


def _read(text: str, identity: Identity) -> dict[_Key, Gain | str]:
    """Raises StateError."""
    try:
        document = parse(text)
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise StateError("holds no search of this program: name another file")
        json.dumps(document, allow_nan=False)  # a number beyond every float is none that was ever measured
        saved = convert(document, _SavedState)
    except (ValueError, RecursionError) as error:
        raise StateError(f"is damaged: {error}: name another file, or delete it") from error
    for name, value in asdict(identity).items():
        if getattr(saved, name) != value:
            raise StateError(f"is of a search with another {_WORDS[name]}: name another file, or delete it")
    return {
        (trial.candidate, trial.images, trial.timed): trial.failed or "" if trial.gain is None else _gain(trial.gain)
        for trial in saved.trials
    }


_WORDS = {
    "model": "model",
    "pictures": "set of pictures (or they were changed since)",
    "options": "set of options",
    "version": "version of aliasaudit",
}


def _written(key: _Key, found: Gain | str) -> dict[str, Any]:
    """One trial as it stands in the document: numbers whole, so that a search chooses the same by them."""
    candidate, images, timed = key
    trial: dict[str, Any] = {"candidate": candidate, "images": images, "timed": timed}
    if isinstance(found, str):
        return trial | {"failed": found}
    agreement, loss, speed = found.agreement, found.loss, found.speed
    changes = [
        {
            "measure": change.measure,
            "output": change.output.raw,
            "base": _defined(change.base),
            "new": _defined(change.new),
            "difference": _defined(change.difference),
            "interval": change.interval and structs.astuple(change.interval),
            "images": change.images,
            **({"protocol": change.protocol} if change.protocol else {}),
            **({"ratio": _ratio(change.ratio)} if change.ratio else {}),
            **({} if change.unseen is None else {"unseen": change.unseen}),
        }
        for change in found.changes
    ]
    gain = {
        "changes": changes,
        "leading": [change.measure for change in found.leading],
        "agreement": agreement and _told(agreement),
        "loss": loss and _told(loss),
        "speed": speed and astuple(speed),
        "remarks": found.remarks,
    }
    return trial | {"gain": gain}


def _told(told: Agreement | Loss) -> list[Any]:
    return [told.yardstick.value, _defined(told.value), told.interval and structs.astuple(told.interval)]


def _ratio(ratio: TypicalRatio) -> list[Any]:
    largest = _defined(ratio.base_largest), _defined(ratio.new_largest)
    return [_defined(ratio.value), ratio.interval and structs.astuple(ratio.interval), *largest]


def _gain(saved: _Gain) -> Gain:
    changes = tuple(
        MeasuredChange(
            measure=one.measure,
            output=one.output,
            unit=MEASURES[one.measure].unit,
            higher_is_better=MEASURES[one.measure].higher_is_better,
            base=one.base,
            new=one.new,
            difference=one.difference,
            interval=one.interval and Interval(*one.interval),
            images=one.images,
            ratio=one.ratio
            and TypicalRatio(one.ratio[0], one.ratio[1] and Interval(*one.ratio[1]), one.ratio[2], one.ratio[3]),
            unseen=one.unseen,
            protocol=one.protocol,
        )
        for one in saved.changes
    )
    agreement, loss = (
        told and (told[0], told[1], told[2] and Interval(*told[2])) for told in (saved.agreement, saved.loss)
    )
    return Gain(
        changes=changes,
        leading=tuple(one for one in changes if one.measure in saved.leading and not one.protocol),
        agreement=agreement and Agreement(*agreement),
        loss=loss and Loss(*loss),
        speed=saved.speed and Speed(*saved.speed),
        # Said by this program when it was written; whoever wrote it since says it too.
        remarks=tuple(plain(remark, None) for remark in saved.remarks),
    )


def _defined(value: float) -> float | None:
    return value if math.isfinite(value) else None
