"""Shifted inputs and a comparison for NVIDIA Polygraphy, so that what runs a model there also tells its consistency.

    from auditor.plugins.polygraphy import ShiftConsistency, ShiftPairs

    pairs = ShiftPairs("models/net.onnx", images="photos")
    reference, moved = pairs.reference, pairs.moved
    consistency = ShiftConsistency(at_least=0.9)

Such a script gives ``polygraphy run`` its ``--data-loader-script script.py:moved`` and its
``--compare-func-script script.py:consistency``. A comparison sees the outputs of two runs, iteration by iteration, and
no inputs. So one run saves its answers to the moved windows, another reads them and answers the reference windows.

Polygraphy imports the script anew for every iteration: a comparison keeps no state. Results and limits follow the
protocol of ``polygraphy.comparator.BaseCompareFunc``, ``CompareResult`` and ``Threshold`` (0.53), by duck typing.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from polygraphy.exception import PolygraphyException
from polygraphy.json import Decoder, Encoder
from polygraphy.logger import G_LOGGER

from auditor.onnxfile import read_model
from auditor.onnxfile.dtypes import ENCODINGS
from auditor.onnxfile.graph import Model, ValueInfo
from auditor.text import plain
from auditor.verify.errors import DataError
from auditor.verify.images.inputs import image_input, other_feeds
from auditor.verify.images.preprocess import ImageLayout
from auditor.verify.measures.classification import agreement, output_scale, probabilities, score_change
from auditor.verify.options import Request, read_keywords
from auditor.verify.result import Rejected
from auditor.verify.setup import plan_protocol
from auditor.verify.shifts.feeder import Load, loads
from auditor.verify.shifts.plan import Pairs
from auditor.verify.worker.arena import Array
from auditor.verify.worker.job import Port
from auditor.verify.worker.windows import cut


class ShiftPairs:
    """The two data loaders of one model: the pairs of windows that ``aliasaudit verify`` takes for ``consistency``.

    Iteration k of :meth:`reference` and of :meth:`moved` are the two sides of the same ``batch`` pairs of one image.
    ``batch`` is the batch size of the model where that is fixed, else 1. ``options`` are those of ``aliasaudit
    verify``, with underscores (``images="photos"``, ``preset="unit"``, ``shifts=8``).

    Raises:
        ValueError: an option is not valid.
    """

    def __init__(self, model: str | os.PathLike[str], *, batch: int | None = None, **options: object) -> None:
        self._model = Path(model)
        self._batch = batch
        self._request: Request = read_keywords(options)

    def reference(self) -> Iterator[dict[str, Array]]:
        """The feeds with the first window of every pair; raises as :meth:`moved`."""
        return self._feeds(moved=False)

    def moved(self) -> Iterator[dict[str, Array]]:
        """The feeds with the second window of every pair.

        Raises:
            ModelFileError: the model cannot be read.
            DataError: there are no usable images, the image input cannot be told, or the shifts do not fit.
        """
        return self._feeds(moved=True)

    def _feeds(self, moved: bool) -> Iterator[dict[str, Array]]:
        model = read_model(self._model)
        request = self._request.for_file(model.metadata)
        settings = request.settings
        ports = _ports(model)
        image = image_input(ports, settings.image_input, settings.size, settings.layout, settings.channels)
        batch = image.batch or self._batch or 1
        try:
            protocol, shifts = plan_protocol(image.size, settings)
            protocol.plan(0, shifts)
        except ValueError as error:
            raise DataError(f"the shifts do not fit an input of {image.size[0]} x {image.size[1]}: {error}") from error
        used = 0
        for load in loads(request.source(), protocol, image.fit(settings.preprocessing), shifts):
            if isinstance(load, Rejected):
                warnings.warn(f"{plain(load.name)} is left out: {load.reason}", stacklevel=2)
                continue
            used += 1
            feeds = other_feeds(ports, image, settings.feeds, load.extra, batch)
            for places in _places(load, moved, batch):
                windows = cut(load.canvases, places, image.size, image.layout is not ImageLayout.NCHW)
                yield {image.name: windows, **feeds}
        if not used:
            raise DataError("none of the images can be used")


@dataclass(frozen=True, slots=True)
class ShiftLimits:
    """What answers to shifted inputs are held to: a share of pairs, and a change of probability if it is to count."""

    at_least: float
    mac_at_most: float | None = None

    @staticmethod
    def metric_fields() -> list[str]:
        return ["consistency", "mac"]

    def passed(self, metric_values: Mapping[str, float]) -> bool:
        """Whether the values, of one iteration or averaged, are within the limits; NaN never is."""
        steady = metric_values["consistency"] >= self.at_least
        return steady and (self.mac_at_most is None or metric_values["mac"] <= self.mac_at_most)

    def describe(self, metric_values: Mapping[str, float]) -> tuple[str, bool]:
        """One line for Polygraphy's summary, and whether the values are within the limits."""
        mac = "" if self.mac_at_most is None else f", at most {self.mac_at_most:g}"
        line = (
            f"consistency: {metric_values['consistency']:.4f} (at least {self.at_least:g}), "
            f"mac: {metric_values['mac']:.4f}{mac}"
        )
        return line, self.passed(metric_values)


@dataclass(slots=True)
class ShiftResult:
    """The pairs of one iteration, or the mean of all.

    ``consistency`` is the share of pairs with the same top-1 class, ``mac`` the mean change of the probability of the
    reference window's class. Polygraphy sets the names of the compared outputs.
    """

    consistency: float
    mac: float
    thresholds: ShiftLimits
    output0_name: str | None = field(default=None)
    output1_name: str | None = field(default=None)

    def __bool__(self) -> bool:
        return self.thresholds.passed(self.metric_values())

    @staticmethod
    def metric_fields() -> list[str]:
        return ShiftLimits.metric_fields()

    def metric_values(self) -> dict[str, float]:
        return {"consistency": self.consistency, "mac": self.mac}

    def set_thresholds(self, thresholds: ShiftLimits) -> None:
        self.thresholds = thresholds

    def describe(self) -> tuple[str, bool]:
        return self.thresholds.describe(self.metric_values())


class NotClassScoresError(PolygraphyException, ValueError):
    """Outputs that are no class scores. Polygraphy shows its own exceptions without a traceback."""


class ShiftConsistency:
    """Compares the class scores of reference windows with those of moved windows.

    ``at_least`` is the least consistency and ``mac_at_most`` the largest MAC: of every iteration, or of their mean with
    Polygraphy's ``--check-average``. ``output`` names the class scores where the model has several outputs.
    """

    def __init__(self, at_least: float = 0.9, mac_at_most: float | None = None, output: str | None = None) -> None:
        self._limits = ShiftLimits(at_least, mac_at_most)
        self._output = output

    def __call__(self, first: Mapping[str, Array], second: Mapping[str, Array]) -> dict[str, ShiftResult]:
        """Compare two iterations; ``first`` holds the answers to the reference windows, (N, C) per output.

        Raises:
            NotClassScoresError: the output to compare is not there, is no class scores, or is not finite.
        """
        try:
            return self._compared(first, second)
        except ValueError as error:
            G_LOGGER.critical(str(error), ExceptionType=NotClassScoresError)
            raise  # never reached: the line above raises

    def _compared(self, first: Mapping[str, Array], second: Mapping[str, Array]) -> dict[str, ShiftResult]:
        (name, reference), (other, moved) = self._scores(first), self._scores(second)
        if reference.shape != moved.shape:
            raise ValueError(f"class scores of the shapes {reference.shape} and {moved.shape} cannot be compared")
        both = np.concatenate([reference, moved])
        scores = probabilities(both, output_scale(both))
        count = len(reference)
        pairs = Pairs(np.arange(count), np.arange(count, 2 * count), np.zeros((count, 2)))
        consistency, mac = agreement(scores, pairs).mean(), score_change(scores, pairs).mean()
        return {name: ShiftResult(float(consistency), float(mac), self._limits, name, other)}

    def thresholds_for(self, output_name: str) -> ShiftLimits:  # noqa: ARG002 - as Polygraphy calls it
        """The limits, the same for every output."""
        return self._limits

    def _scores(self, outputs: Mapping[str, Array]) -> tuple[str, Array]:
        names = list(outputs.keys()) if self._output is None else [self._output]
        if len(names) != 1 or names[0] not in outputs.keys():  # noqa: SIM118 - Polygraphy's mapping is no dict
            raise ValueError(f"name the class scores: output= must be one of {', '.join(map(repr, outputs.keys()))}")
        value = np.asarray(outputs[names[0]])
        rows = value.reshape(len(value), -1) if value.ndim else value
        if rows.ndim != 2 or rows.shape[1] != max(value.shape[1:], default=0):
            raise ValueError(
                f"output {names[0]!r} of shape {value.shape} is not class scores (N, C): use aliasaudit verify"
            )
        return names[0], rows


def _places(load: Load, moved: bool, batch: int) -> Iterator[Array]:
    pairs = load.unit.plan.pairs
    if len(pairs) % batch:
        raise DataError(f"{len(pairs)} pairs per image do not fill batches of {batch}: give shifts={batch}")
    side = load.places[pairs.moved if moved else pairs.reference]
    yield from side.reshape(-1, batch, side.shape[1])


def _ports(model: Model) -> tuple[Port, ...]:
    graph = model.graph
    return tuple(_port(value) for value in graph.inputs if value.name not in graph.initializers)


def _port(value: ValueInfo) -> Port:
    code = ENCODINGS[value.dtype].code if value.dtype in ENCODINGS else ""
    return Port(value.name, np.dtype(code).name if code else "", value.dims or ())


# So that saved results can be read and judged again (`polygraphy check accuracy`).
@Encoder.register(ShiftLimits)  # type: ignore[untyped-decorator]
def _encode_limits(limits: ShiftLimits) -> dict[str, float | None]:
    return {"at_least": limits.at_least, "mac_at_most": limits.mac_at_most}


@Decoder.register(ShiftLimits)  # type: ignore[untyped-decorator]
def _decode_limits(values: Mapping[str, float]) -> ShiftLimits:
    return ShiftLimits(values["at_least"], values["mac_at_most"])


@Encoder.register(ShiftResult)  # type: ignore[untyped-decorator]
def _encode_result(result: ShiftResult) -> dict[str, object]:
    return {**result.metric_values(), "thresholds": result.thresholds}


@Decoder.register(ShiftResult)  # type: ignore[untyped-decorator]
def _decode_result(values: Mapping[str, object]) -> ShiftResult:
    return ShiftResult(**values)  # type: ignore[arg-type]
