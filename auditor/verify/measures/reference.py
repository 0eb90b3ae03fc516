"""Agreement with a reference model on the same windows, which every task measures in its own way."""

from __future__ import annotations

from auditor.verify.measures.facts import MeasureFacts

FIDELITY = MeasureFacts("fidelity", "share", True, "inputs, positions or boxes as in the reference model")
FIDELITY_COSINE = MeasureFacts(
    "fidelity-cosine",
    "ratio",
    True,
    "cosine between the outputs of this and the reference model",
    limits=(-1.0, 1.0),
)
