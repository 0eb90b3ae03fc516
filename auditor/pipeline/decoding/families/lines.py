"""One line of text: connectionist temporal classification, and readers that end with a sign."""

from __future__ import annotations

import numpy as np

from auditor.pipeline.decoding.answers import Array, Text
from auditor.pipeline.decoding.families.common import softmax
from auditor.pipeline.decoding.layout import Evidence, Layout, LayoutError, Reading, Signature


def _steps(signature: Signature) -> Array | None:
    """(T, classes) of the first line; the axis that is 1 is the batch, in front (N, T, C) or behind the time (T, N,
    C).
    """
    if len(signature.arrays) != 1 or signature.arrays[0].ndim != 3:
        return None
    array = signature.arrays[0]
    lines: Array = array[:, 0] if array.shape[1] == 1 and array.shape[0] > 1 else array[0]
    return lines


def probabilities(steps: Array) -> Array:
    """Rows that are probabilities already, or their logarithms, or logits."""
    values = np.asarray(steps, np.float64)
    if values.min() >= 0 and np.allclose(values.sum(axis=1), 1, atol=0.05):
        return values
    return softmax(values, axis=1)


def _fits_ctc(signature: Signature) -> Evidence:
    steps = _steps(signature)
    if steps is None or "character" not in signature.metadata:
        return Evidence.NONE
    return Evidence.METADATA if steps.shape[1] - len(_dictionary(signature)) in (1, 2) else Evidence.NONE


def _dictionary(signature: Signature) -> list[str]:
    return signature.metadata["character"].split("\n")


def _read_ctc(signature: Signature, reading: Reading) -> Text:
    """The surest class of each step, repetitions once, without the blank; Graves et al. (2006), section 3.2.1."""
    steps = _steps(signature)
    if steps is None:
        raise LayoutError("one output of (lines, steps, classes) or (steps, lines, classes) was expected")
    shares = probabilities(steps)
    letters = list(reading.alphabet) if reading.alphabet is not None else None
    if letters is None and "character" in signature.metadata:
        letters = _dictionary(signature)
    if letters is None:
        raise LayoutError("layout ctc needs an alphabet, which the file does not have")
    missing = shares.shape[1] - len(letters)
    if missing not in (1, 2):
        raise LayoutError(f"{shares.shape[1]} classes do not fit an alphabet of {len(letters)} and a blank")
    if missing == 2:  # PaddleOCR adds the space behind its dictionary
        letters = [*letters, " "]
    last = reading.blank == "last"
    names = [*letters, ""] if last else ["", *letters]
    blank = len(letters) if last else 0
    best = shares.argmax(axis=1)
    kept = [step for step, label in enumerate(best) if label != blank and (step == 0 or label != best[step - 1])]
    return Text("".join(names[best[step]] for step in kept), shares[kept, best[kept]])


def _fits_end_sign(signature: Signature) -> Evidence:
    steps = _steps(signature)
    return Evidence.SHAPE if steps is not None and steps.shape == (26, 95) else Evidence.NONE


def _read_end_sign(signature: Signature, reading: Reading) -> Text:
    """Letters up to the first end sign, class 0; what repeats is written twice."""
    steps = _steps(signature)
    if steps is None:
        raise LayoutError("one output of (lines, steps, classes) was expected")
    assert reading.alphabet is not None
    if steps.shape[1] < len(reading.alphabet) + 1:
        raise LayoutError(f"{steps.shape[1]} classes do not fit an alphabet of {len(reading.alphabet)} and an end sign")
    shares = probabilities(steps)
    best = shares.argmax(axis=1)
    ends = np.flatnonzero(best == 0)
    length = int(ends[0]) if len(ends) else len(best)
    names = ["", *reading.alphabet, *[""] * steps.shape[1]]
    return Text("".join(names[label] for label in best[:length]), shares[np.arange(length), best[:length]])


LAYOUTS = (
    Layout("ctc", "CRNN, PP-OCR, captcha readers", "Graves et al., ICML 2006", _fits_ctc, _read_ctc),
    Layout(
        "end-sign", "PARSeq, ABINet, ViTSTR", "arXiv 2207.06966, code", _fits_end_sign, _read_end_sign, ("alphabet",)
    ),
)
