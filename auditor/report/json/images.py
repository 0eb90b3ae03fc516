"""What was measured on each of many images: a file beside the JSON report, which has no room for it.

It is NumPy's ``.npz``, a ZIP file with one array a column: ``0.name``, ``0.consistency`` and so on of the first model
of the report, in the order of the images, NaN where a measure has no value. Of a comparison ``0.base.name`` and so on
are those of the base. Names are UTF-8. Equal reports have equal files.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

import numpy as np
from msgspec import structs

from auditor.facts.report import ModelReport, Report
from auditor.text import ModelText
from auditor.verify.arrays import AnyArray
from auditor.verify.columns import Floats
from auditor.verify.listing import ImagesFile
from auditor.verify.result import Verification

_CHUNK = 1 << 16  # images


def has_columns(report: Report) -> bool:
    """Whether the report says more of its images than a document lists."""
    return any(found.data.count is not None for model in report.models for _, found in _verifications(model))


def write_images(report: Report, sink: IO[bytes]) -> None:
    """Write the file to a sink."""
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for index, model in enumerate(report.models):
            for side, found in _verifications(model):
                if found.data.count is None:
                    continue
                _write(archive, f"{index}.{side}name", _texts(found.data.used))
                for name, values in _columns(found).items():
                    _write(archive, f"{index}.{side}{name}", _numbers(values))


def naming(report: Report, file: ImagesFile) -> Report:
    """The report that names its file."""

    def named(found: Verification | None) -> Verification | None:
        if found is None or found.data.count is None:
            return found
        return structs.replace(found, images_file=file)

    models = []
    for model in report.models:
        compared = model.comparison
        if compared is not None:
            compared = structs.replace(compared, base_verification=named(compared.base_verification))
        models.append(structs.replace(model, verification=named(model.verification), comparison=compared))
    return structs.replace(report, models=tuple(models))


def _verifications(model: ModelReport) -> Iterator[tuple[str, Verification]]:
    """What was measured on a model and on its base, each with what its columns begin with."""
    if model.verification is not None:
        yield "", model.verification
    if model.comparison is not None and model.comparison.base_verification is not None:
        yield "base.", model.comparison.base_verification


def _columns(found: Verification) -> Mapping[str, Floats]:
    columns: dict[str, Floats] = {}
    for output in found.outputs:
        columns |= output.columns
        columns |= {measure.title: measure.per_image for measure in output.measures}
        for split in output.splits:
            columns |= {f"{split.measure}, aligned": split.aligned, f"{split.measure}, beside": split.beside}
    return columns


def _write(archive: zipfile.ZipFile, name: str, column: tuple[str, int, Iterator[AnyArray]]) -> None:
    """One array as a member, a chunk at a time."""
    kind, count, chunks = column
    member = zipfile.ZipInfo(f"{name}.npy")
    member.compress_type, member.create_system = zipfile.ZIP_DEFLATED, 3  # the same bytes on every system
    with archive.open(member, "w", force_zip64=True) as stream:
        header = {"descr": kind, "fortran_order": False, "shape": (count,)}
        np.lib.format.write_array_header_1_0(stream, header)
        for chunk in chunks:
            stream.write(chunk.tobytes())


def _numbers(values: Floats) -> tuple[str, int, Iterator[AnyArray]]:
    starts = range(0, len(values), _CHUNK)
    return "<f8", len(values), (np.asarray(values[start : start + _CHUNK], "<f8") for start in starts)


def _texts(names: Sequence[ModelText]) -> tuple[str, int, Iterator[AnyArray]]:
    longest = max((len(_bytes(name)) for name in names), default=0)
    kind = f"|S{max(1, longest)}"
    starts = range(0, len(names), _CHUNK)
    chunks = (np.array([_bytes(name) for name in names[start : start + _CHUNK]], kind) for start in starts)
    return kind, len(names), chunks


def _bytes(name: ModelText) -> bytes:
    return name.raw.encode("utf-8", "surrogateescape")
