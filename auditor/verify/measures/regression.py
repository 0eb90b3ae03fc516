"""How far numbers in a unit of their own (degrees, years, steering) move when their input is shifted.

* value change: mean absolute change between the two inputs of a pair, in the unit of the output.
* relative change: the same over the spread of the output between images, the standard deviation of the answers to the
  unshifted inputs. It says whether shifts or contents decide the answer: at 1 a shift moves it as much as another
  picture does.

Angles that come round are compared the short way, and spread about the direction of their mean (Mardia and Jupp 2000).
"""

from __future__ import annotations

import numpy as np

from auditor.verify.arrays import AnyArray, FloatArray
from auditor.verify.shifts.plan import Pairs

LEAST_SPREAD = 3  # images; the spread of two is an accident


def difference(left: AnyArray, right: AnyArray, turn: float | None = None) -> FloatArray:
    """``right - left``; where values come round after ``turn``, the short way, in ``-turn/2 .. turn/2``."""
    step = np.asarray(right, np.float64) - np.asarray(left, np.float64)
    return step if turn is None else (step + turn / 2) % turn - turn / 2


def value_change(values: FloatArray, pairs: Pairs, turn: float | None = None) -> FloatArray:
    """(P, D) absolute change of each of the D numbers ``values`` (W, D) of one image's inputs."""
    return np.abs(difference(values[pairs.reference], values[pairs.moved], turn))


def spread(unshifted: FloatArray, turn: float | None = None) -> FloatArray:
    """(D,) standard deviation between images of the answers (N, D) to unshifted inputs.

    NaN below :data:`LEAST_SPREAD` images.
    """
    if len(unshifted) < LEAST_SPREAD:
        return np.full(unshifted.shape[1:], np.nan)
    if turn is None:
        return np.asarray(unshifted.std(axis=0, ddof=1))
    angles = unshifted * (2 * np.pi / turn)
    middle = np.arctan2(np.sin(angles).mean(axis=0), np.cos(angles).mean(axis=0)) * turn / (2 * np.pi)
    away = difference(middle[None], unshifted, turn)
    return np.asarray(np.sqrt(np.square(away).sum(axis=0) / (len(unshifted) - 1)))


def relative_change(changes: FloatArray, between: FloatArray) -> FloatArray:
    """(N,) the mean over the D numbers of the changes (N, D) per image over the spread (D,) between images.

    A number that no picture changes has no scale, and does not count; NaN where none has one.
    """
    known = np.flatnonzero(np.nan_to_num(between) > 1e-9 * np.maximum(1e-12, np.abs(changes).max(initial=0.0)))
    if not len(known):
        return np.full(len(changes), np.nan)
    return np.asarray((changes[:, known] / between[known]).mean(axis=1))
