"""Landmarks and keypoints: coordinates, heat maps, and one distribution an axis."""

from __future__ import annotations

import numpy as np

from auditor.pipeline.decoding.answers import Array, Keypoints
from auditor.pipeline.decoding.families.common import sigmoid, softmax
from auditor.pipeline.decoding.layout import Evidence, Layout, LayoutError, Reading, Signature

_MESHES = {468 * 3, 478 * 3}
_POINT = 0.015  # least probability of a point of SuperPoint
_RADIUS = 4  # within which only its surest point stays
_CELL = 8
_DARK_KERNEL = 11
_PEAK_SHARE = 8  # of the longer side of a map: the mean reach of one peak


def _fits_heatmap(signature: Signature) -> Evidence:
    maps = signature.arrays[0]
    if len(signature.arrays) != 1 or maps.ndim != 4 or maps.shape[0] != 1 or maps.shape[1] < 3:
        return Evidence.NONE
    if (maps.shape[2] * 4, maps.shape[3] * 4) != signature.size:
        return Evidence.NONE
    # One isolated peak a map, and nothing elsewhere: no segmentation looks so.
    flat = maps[0].reshape(maps.shape[1], -1)
    above = flat > flat.max(axis=1, keepdims=True) / 2
    small = bool(np.all(above.mean(axis=1) < 0.1))
    return Evidence.VALUES if small and _isolated(above, flat.argmax(axis=1), maps.shape[2:]) else Evidence.NONE


def _isolated(above: Array, peaks: Array, shape: tuple[int, int]) -> bool:
    """Whether what is above half of the peak lies about the peak, on most maps; that of noise lies everywhere.

    A map of nothing above 0 has no peak.
    """
    cell = np.indices(shape).reshape(2, -1)
    away = [
        np.abs(cell[:, mask] - cell[:, [peak]]).max(axis=0).mean() if mask.any() else np.inf
        for mask, peak in zip(above, peaks, strict=True)
    ]
    return bool(np.mean(np.array(away) < max(shape) / _PEAK_SHARE) >= 0.5)


def _read_heatmap(signature: Signature, reading: Reading) -> Keypoints:
    """The largest sample of each map, a quarter towards its higher neighbour, or refined as DARK does (1910.06278)."""
    if len(signature.arrays) != 1 or signature.arrays[0].ndim != 4 or signature.arrays[0].shape[0] != 1:
        raise LayoutError("one output of maps (1, points, height, width) was expected")
    maps = signature.arrays[0][0].astype(np.float64)
    number, height, width = maps.shape
    rows, columns = np.divmod(maps.reshape(number, -1).argmax(axis=1), width)
    scores = maps.reshape(number, -1).max(axis=1)
    places = np.stack([columns, rows], axis=1).astype(np.float64)
    if reading.refine == "quarter":
        inner = (columns > 0) & (columns < width - 1) & (rows > 0) & (rows < height - 1)
        for index in np.flatnonzero(inner):
            level, row, column = maps[index], rows[index], columns[index]
            slope = level[row, column + 1] - level[row, column - 1], level[row + 1, column] - level[row - 1, column]
            places[index] += np.sign(slope) * 0.25
    elif reading.refine == "dark":
        places = _dark(maps, places)
    elif reading.refine != "argmax":
        raise LayoutError(f"refine is argmax, quarter or dark; got {reading.refine!r}")
    stride = signature.size[1] / width, signature.size[0] / height
    # A quarter of a cell to either side: the places are half a cell apart.
    apart = {"argmax": 1.0, "quarter": 0.5}.get(reading.refine, 0.0)
    return Keypoints(places * stride, scores, pitch=(stride[0] * apart, stride[1] * apart))


def _dark(maps: Array, places: Array) -> Array:
    """One Newton step on the logarithm of the smoothed maps (1910.06278, eq. 2 to 8)."""
    smooth = _smoothed(maps, _DARK_KERNEL)
    logs = np.pad(np.log(np.clip(smooth, 1e-3, 50)), ((0, 0), (1, 1), (1, 1)), mode="edge")
    refined = places.copy()
    for index, (column, row) in enumerate(places.astype(int)):
        part = logs[index, row : row + 3, column : column + 3]
        slope = np.array([part[1, 2] - part[1, 0], part[2, 1] - part[0, 1]]) / 2
        across = part[1, 2] - 2 * part[1, 1] + part[1, 0]
        down = part[2, 1] - 2 * part[1, 1] + part[0, 1]
        mixed = (part[2, 2] - part[0, 1] - part[1, 0] + 2 * part[1, 1] - part[1, 2] - part[2, 1] + part[0, 0]) / 2
        curvature = np.array([[across, mixed], [mixed, down]]) + np.eye(2) * np.finfo(np.float32).eps
        refined[index] -= np.linalg.solve(curvature, slope)
    result: Array = refined
    return result


def _smoothed(maps: Array, size: int) -> Array:
    """A Gaussian of ``size`` taps with OpenCV's standard deviation for it, reflected at the border."""
    deviation = 0.3 * ((size - 1) * 0.5 - 1) + 0.8
    tap = np.arange(size) - size // 2
    kernel = np.exp(-(tap**2) / (2 * deviation**2))
    kernel /= kernel.sum()
    for axis in (1, 2):
        pads = [(size // 2, size // 2) if i == axis else (0, 0) for i in range(3)]
        padded = np.pad(maps, pads, mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=axis)
        maps = windows @ kernel
    return maps


def _fits_simcc(signature: Signature) -> Evidence:
    return Evidence.NAMES if {"simcc_x", "simcc_y"} <= set(signature.names) else Evidence.NONE


def _read_simcc(signature: Signature, reading: Reading) -> Keypoints:  # noqa: ARG001 - every reader has this signature
    """The largest of each axis' distribution, which has two samples a pixel; the score is the mean of both."""
    across, down = signature.named("simcc_x")[0], signature.named("simcc_y")[0]
    points = np.stack([across.argmax(axis=1), down.argmax(axis=1)], axis=1).astype(np.float64)
    pitch = signature.size[1] / across.shape[1], signature.size[0] / down.shape[1]
    return Keypoints(points * pitch, (across.max(axis=1) + down.max(axis=1)) / 2, pitch=pitch)


def _fits_movenet(signature: Signature) -> Evidence:
    return (
        Evidence.NAMES if signature.arrays[0].shape == (1, 1, 17, 3) and len(signature.arrays) == 1 else Evidence.NONE
    )


def _read_movenet(signature: Signature, reading: Reading) -> Keypoints:  # noqa: ARG001 - every reader has this signature
    table = signature.arrays[0].reshape(17, 3)
    return Keypoints(table[:, [1, 0]].astype(np.float64) * signature.size[::-1], table[:, 2])


def _fits_mesh(signature: Signature) -> Evidence:
    meshes = [array.reshape(-1, 3)[:, :2] for array in signature.arrays if array.size in _MESHES]
    if not meshes:
        return Evidence.NONE
    # A classifier may have as many classes; its numbers do not lie about the middle of the input.
    middle = meshes[0].mean(axis=0) / signature.size[::-1]
    return Evidence.VALUES if np.all((middle > 0.1) & (middle < 0.9)) else Evidence.NONE


def _read_mesh(signature: Signature, reading: Reading) -> Keypoints:  # noqa: ARG001 - every reader has this signature
    """Points in pixels of the input; the presence is a logit."""
    meshes = [array for array in signature.arrays if array.size in _MESHES]
    if not meshes:
        raise LayoutError("an output of 468 or 478 points of three numbers was expected")
    table = meshes[0].reshape(-1, 3).astype(np.float64)
    presence = [array for array in signature.arrays if array.size == 1]
    sure = float(sigmoid(presence[0].reshape(-1))[0]) if presence else None
    return Keypoints(table[:, :2], depth=table[:, 2], presence=sure)


def _vector(signature: Signature) -> Array | None:
    """The only output as (K, 2), where it is one vector of an even length."""
    if len(signature.arrays) != 1 or signature.arrays[0].size % 2 or signature.arrays[0].size < 8:
        return None
    array = signature.arrays[0]
    points: Array = array.reshape(-1, 2).astype(np.float64)
    return points if array.size == max(array.shape) else None


def _fits_signed(signature: Signature) -> Evidence:
    points = _vector(signature)
    if points is None or len(points) != 106:
        return Evidence.NONE
    return Evidence.SHAPE if np.abs(points).max() <= 1.5 else Evidence.NONE


def _read_signed(signature: Signature, reading: Reading) -> Keypoints:  # noqa: ARG001 - every reader has this signature
    return Keypoints((_points(signature) + 1) * np.array(signature.size[::-1]) / 2)


def _read_shares(signature: Signature, reading: Reading) -> Keypoints:  # noqa: ARG001 - every reader has this signature
    return Keypoints(_points(signature) * np.array(signature.size[::-1]))


def _read_pixels(signature: Signature, reading: Reading) -> Keypoints:  # noqa: ARG001 - every reader has this signature
    return Keypoints(_points(signature))


def _points(signature: Signature) -> Array:
    points = _vector(signature)
    if points is None:
        raise LayoutError("one vector of x and y in turn was expected")
    return points


def _never(signature: Signature) -> Evidence:  # noqa: ARG001 - every recogniser has this signature
    """A vector of numbers looks like a classifier's: the user has to say that it is points."""
    return Evidence.NONE


def _fits_superpoint(signature: Signature) -> Evidence:
    if "semi" not in signature.names:
        return Evidence.NONE
    return Evidence.NAMES if signature.named("semi").shape[1] == _CELL**2 + 1 else Evidence.NONE


def _read_superpoint(signature: Signature, reading: Reading) -> Keypoints:  # noqa: ARG001 - every reader has this signature
    """Softmax over the 64 places of a cell and "none", the surest point within four pixels."""
    semi = signature.named("semi")[0].astype(np.float64)
    shares = softmax(semi, axis=0)[:-1]
    rows, columns = shares.shape[1:]
    heat = shares.reshape(_CELL, _CELL, rows, columns).transpose(2, 0, 3, 1).reshape(rows * _CELL, columns * _CELL)
    y, x = np.nonzero(heat > _POINT)
    order = np.argsort(-heat[y, x], kind="stable")
    kept: list[int] = []
    for index in order:
        near = [max(abs(x[index] - x[other]), abs(y[index] - y[other])) <= _RADIUS for other in kept]
        if not any(near):
            kept.append(int(index))
    return Keypoints(np.stack([x[kept], y[kept]], axis=1).astype(np.float64), heat[y[kept], x[kept]])


LAYOUTS = (
    Layout("heatmap", "HRNet, SimpleBaseline, ViTPose", "arXiv 1804.06208, 1910.06278", _fits_heatmap, _read_heatmap),
    Layout("simcc", "RTMPose, SimCC", "arXiv 2107.03332", _fits_simcc, _read_simcc),
    Layout("movenet", "MoveNet, one person", "its model card", _fits_movenet, _read_movenet),
    Layout("face-mesh", "MediaPipe face mesh", "MediaPipe, TensorsToLandmarksCalculator", _fits_mesh, _read_mesh),
    Layout("landmarks-signed", "landmarks in -1..1 (2d106det)", "insightface, landmark", _fits_signed, _read_signed),
    Layout("landmarks-shares", "landmarks in 0..1 of the input (PFLD)", "PFLD", _never, _read_shares),
    Layout("landmarks-pixels", "landmarks in pixels of the input", "the vector itself", _never, _read_pixels),
    Layout("superpoint", "SuperPoint", "arXiv 1712.07629, section 3.2", _fits_superpoint, _read_superpoint),
)
