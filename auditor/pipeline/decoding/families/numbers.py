"""Quantities: angles of a head or of a gaze, and an age."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from auditor.pipeline.decoding.answers import Array, Numbers
from auditor.pipeline.decoding.families.common import softmax
from auditor.pipeline.decoding.layout import Evidence, Layout, LayoutError, Reading, Signature

_ANGLES = ("yaw", "pitch", "roll")


def _never(signature: Signature) -> Evidence:  # noqa: ARG001 - every recogniser has this signature
    """A few numbers look like a classifier's: the user has to say what they are."""
    return Evidence.NONE


def _only(signature: Signature, size: int) -> Array:
    """The only output as a vector of that length.

    Raises:
        LayoutError: it is none.
    """
    if len(signature.arrays) != 1 or signature.arrays[0].size != size:
        raise LayoutError(f"one output of {size} numbers was expected")
    vector: Array = signature.arrays[0].reshape(-1).astype(np.float64)
    return vector


def _bins(signature: Signature, heads: int, bins: int) -> list[Array] | None:
    """Each output's probabilities over its bins."""
    if [array.shape for array in signature.arrays] != [(1, bins)] * heads:
        return None
    return [softmax(array[0].astype(np.float64)) for array in signature.arrays]


def _named(signature: Signature, names: Sequence[str]) -> tuple[str, ...]:
    """The names of the outputs where they tell which is which, else ``names`` in their order."""
    told = [[name for name in names if name in output.lower()] for output in signature.names]
    return tuple(word[0] for word in told) if all(len(word) == 1 for word in told) else tuple(names)


def _read_degrees(signature: Signature, reading: Reading) -> Numbers:  # noqa: ARG001 - every reader has this signature
    return Numbers(_only(signature, 3), _ANGLES, "degrees", circular=True)


def _fits_hopenet(signature: Signature) -> Evidence:
    return Evidence.NAMES if _bins(signature, 3, 66) is not None else Evidence.NONE


def _read_hopenet(signature: Signature, reading: Reading) -> Numbers:  # noqa: ARG001 - every reader has this signature
    """The mean of each head's 66 bins of three degrees."""
    heads = _bins(signature, 3, 66)
    if heads is None:
        raise LayoutError("three outputs (1, 66) were expected")
    degrees = np.array([head @ np.arange(66) * 3 - 99 for head in heads])
    return Numbers(degrees, _named(signature, _ANGLES), "degrees", circular=True)


def _rotation(signature: Signature) -> Array | None:
    if len(signature.arrays) != 1 or signature.arrays[0].shape != (1, 3, 3):
        return None
    matrix: Array = signature.arrays[0][0].astype(np.float64)
    return matrix if np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-2) and np.linalg.det(matrix) > 0 else None


def _fits_rotation(signature: Signature) -> Evidence:
    return Evidence.VALUES if _rotation(signature) is not None else Evidence.NONE


def _read_rotation(signature: Signature, reading: Reading) -> Numbers:  # noqa: ARG001 - every reader has this signature
    """Euler's angles of a rotation matrix, about y, x and z."""
    matrix = _rotation(signature)
    if matrix is None:
        raise LayoutError("one rotation matrix (1, 3, 3) was expected")
    level = np.hypot(matrix[0, 0], matrix[1, 0])
    pitch, yaw = np.arctan2(matrix[2, 1], matrix[2, 2]), np.arctan2(-matrix[2, 0], level)
    roll = np.arctan2(matrix[1, 0], matrix[0, 0])
    return Numbers(np.degrees([yaw, pitch, roll]), _ANGLES, "degrees", circular=True)


def _fits_gaze(signature: Signature) -> Evidence:
    return Evidence.NAMES if _bins(signature, 2, 90) is not None else Evidence.NONE


def _read_gaze(signature: Signature, reading: Reading) -> Numbers:  # noqa: ARG001 - every reader has this signature
    """The mean of each head's 90 bins of four degrees."""
    heads = _bins(signature, 2, 90)
    if heads is None:
        raise LayoutError("two outputs (1, 90) were expected")
    degrees = np.array([head @ np.arange(90) * 4 - 180 for head in heads])
    return Numbers(degrees, _named(signature, ("yaw", "pitch")), "degrees", circular=True)


def _read_age_bins(signature: Signature, reading: Reading) -> Numbers:  # noqa: ARG001 - every reader has this signature
    """The mean age of 101 probabilities, or of the softmax of as many logits."""
    vector = _only(signature, 101)
    likely = vector.min() >= 0 and abs(vector.sum() - 1) < 0.05
    return Numbers(np.array([(vector if likely else softmax(vector)) @ np.arange(101)]), ("age",), "years")


def _read_gender_age(signature: Signature, reading: Reading) -> Numbers:  # noqa: ARG001 - every reader has this signature
    """Two logits of the gender, and a hundredth of the age."""
    return Numbers(_only(signature, 3)[2:] * 100, ("age",), "years")


def _read_numbers(signature: Signature, reading: Reading) -> Numbers:  # noqa: ARG001 - every reader has this signature
    if any(array.size != max(array.shape, default=1) for array in signature.arrays):
        raise LayoutError("outputs of one vector each were expected")
    values = np.concatenate([array.reshape(-1) for array in signature.arrays]).astype(np.float64)
    names = [
        output if array.size == 1 else f"{output}[{index}]"
        for output, array in zip(signature.names, signature.arrays, strict=True)
        for index in range(array.size)
    ]
    return Numbers(values, tuple(names), "")


LAYOUTS = (
    Layout("head-pose", "FSA-Net: yaw, pitch, roll in degrees", "FSA-Net, demo", _never, _read_degrees),
    Layout("head-pose-bins", "HopeNet", "arXiv 1710.00925, section 3.2", _fits_hopenet, _read_hopenet),
    Layout("head-pose-rotation", "6DRepNet", "arXiv 2202.12555, code", _fits_rotation, _read_rotation),
    Layout("gaze-bins", "L2CS-Net", "arXiv 2203.03339, code", _fits_gaze, _read_gaze),
    Layout("age-bins", "age over 101 classes", "Rothe et al., DEX, section 3.3", _never, _read_age_bins),
    Layout("gender-age", "insightface genderage", "insightface, attribute", _never, _read_gender_age),
    Layout("numbers", "numbers in the unit of the outputs", "the outputs themselves", _never, _read_numbers),
)
