"""YOLOX: offsets from the corner of a cell and logarithms of the size, one row a cell.

Source: YOLOX 0.3.0, exported graph and its demo's post-processing; ``--decode_in_inference`` exports pixels in the same
shape.
"""

from __future__ import annotations

import numpy as np

from auditor.pipeline.decoding import grid
from auditor.pipeline.decoding.answers import Array, Detections
from auditor.pipeline.decoding.boxes import from_centre
from auditor.pipeline.decoding.families.common import best_class, possible
from auditor.pipeline.decoding.families.grids import objects_of_no_class
from auditor.pipeline.decoding.families.rows import corners, pixels, rows, shares
from auditor.pipeline.decoding.layout import Evidence, Layout, LayoutError, Reading, Signature

_SOURCE = "YOLOX 0.3.0"
_LARGEST_LOGARITHM = 12


def _table(signature: Signature) -> Array:
    table = rows(signature)
    if table is None or len(table) != grid.count(signature.size) or table.shape[1] < 6:
        raise LayoutError(f"the output {list(signature.arrays[0].shape)} has not one row a cell")
    return table


def _in_cells(table: Array) -> bool:
    """Whether sizes are logarithms: pixels are never negative, and logarithms of sizes in cells are small."""
    return bool(table[:, 2:4].min() < 0 and np.abs(table[:, 2:4]).max() < _LARGEST_LOGARITHM)


def _fits_raw(signature: Signature) -> Evidence:
    try:
        table = _table(signature)
    except LayoutError:
        return Evidence.NONE
    return Evidence.VALUES if _in_cells(table) and not np.all(table[:, 4] == 1) else Evidence.NONE


def _read_raw(signature: Signature, reading: Reading) -> Detections:
    table = _table(signature)
    likely = possible(table[:, 4], reading)
    table, points = table[likely], grid.points(signature.size, offset=0.0)[likely]
    stride = points[:, 2:]
    if np.abs(table[:, 2:4]).max(initial=0) > _LARGEST_LOGARITHM:
        raise LayoutError("logarithms of sizes were expected in columns 2 and 3; there are pixels")
    centre = points[:, :2] + table[:, :2] * stride
    return best_class(
        from_centre(np.concatenate([centre, np.exp(table[:, 2:4]) * stride], axis=1)),
        table[:, 4:5] * table[:, 5:],
        reading,
    )


def _fits_decoded(signature: Signature) -> Evidence:
    try:
        table = _table(signature)
    except LayoutError:
        return Evidence.NONE
    if not (pixels(table[:, :4]) and shares(table[:, 4:])) or table[:, 2:4].min() < 0:
        return Evidence.NONE
    other = corners(table[:, :4]) or np.all(table[:, 4] == 1) or objects_of_no_class(table)
    return Evidence.NONE if other else Evidence.VALUES


def _read_decoded(signature: Signature, reading: Reading) -> Detections:
    table = _table(signature)
    table = table[possible(table[:, 4], reading)]
    return best_class(from_centre(table[:, :4]), table[:, 4:5] * table[:, 5:], reading)


LAYOUTS = (
    Layout("yolox", "YOLOX, raw grid (its default export)", _SOURCE, _fits_raw, _read_raw),
    Layout("yolox-decoded", "YOLOX --decode_in_inference", _SOURCE, _fits_decoded, _read_decoded),
)
