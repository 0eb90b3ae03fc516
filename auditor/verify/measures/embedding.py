"""How far an embedding turns when its input is shifted.

The share of pairs under a cosine threshold is the "representation change" of Shifman and Weiss, "Lost in Translation:
Modern Neural Networks Still Struggle With Small Realistic Image Transformations", ECCV 2024.
"""

from __future__ import annotations

import numpy as np

from auditor.verify.arrays import AnyArray, FloatArray
from auditor.verify.shifts import Pairs


def cosine(left: AnyArray, right: AnyArray) -> FloatArray:
    """(P,) cosine between rows of two (P, ...) arrays, all axes but the first taken as one vector.

    Two zero vectors are equal (1); a zero vector and another one have nothing in common (0).
    """
    first = np.asarray(left, dtype=np.float64).reshape(len(left), -1)
    second = np.asarray(right, dtype=np.float64).reshape(len(right), -1)
    lengths = np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1)
    product = lengths[0] * lengths[1]
    both_zero = (lengths[0] == 0) & (lengths[1] == 0)
    ratio = (first * second).sum(axis=1) / np.where(product > 0, product, 1.0)
    return np.asarray(np.where(both_zero, 1.0, np.clip(ratio, -1.0, 1.0)))


def pair_cosine(embeddings: AnyArray, pairs: Pairs) -> FloatArray:
    """(P,) cosine between the embeddings of each pair; ``embeddings`` (W, ...) are those of one image's windows."""
    return cosine(embeddings[pairs.reference], embeddings[pairs.moved])


def changed_share(cosines: FloatArray, threshold: float) -> float:
    """Share of pairs whose cosine lies under the threshold; NaN without pairs."""
    return float(np.mean(cosines < threshold)) if len(cosines) else float("nan")
