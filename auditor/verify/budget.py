"""How much is measured where nobody says: as many built-in pictures as a fixed number of multiply-adds allows.

The number depends on the model and the options alone, never on a clock, so that every machine measures the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from auditor.onnxfile.graph import Model
from auditor.sampling.result import Analysis
from auditor.sampling.work import multiply_adds
from auditor.verify.options import BUILTIN_IMAGES, Request

if TYPE_CHECKING:
    from auditor.verify.settings import VerifySettings

# On two cores of a laptop, at the ten billion a second and core that a MobileNet reaches, half a minute.
PICTURES = 600e9
LAYERS = 200e9
_FEWEST = 16  # pictures: fewer decide nothing
_GRID = 256  # inputs at most of a shift grid, on which layers are measured


def within_budget(request: Request, model: Model, analysis: Analysis) -> Request:
    """The request with fewer built-in pictures and images for layers, where the model is large and nobody chose."""
    if request.images is not None or request.video is not None or request.frames is not None:
        return request
    cost = multiply_adds(model.graph, analysis.shapes)
    if request.limit is not None or not cost:
        return request
    each = cost * _inputs(request.settings) / _batch(model)
    pictures = int(min(max(PICTURES // each, _FEWEST), BUILTIN_IMAGES))
    layers = request.settings.layer_images
    if "layers" not in request.options.given and layers:
        layers = int(min(max(LAYERS // (cost * _GRID / _batch(model)), 1), layers))
    if pictures == BUILTIN_IMAGES and layers == request.settings.layer_images:
        return request
    fewer = [f"--images-limit {BUILTIN_IMAGES}"] * (pictures < BUILTIN_IMAGES)
    fewer += [f"--layers {request.settings.layer_images}"] * (layers < request.settings.layer_images)
    note = (
        f"a first look on {pictures} pictures, of which layers on {layers}, since each of their inputs takes "
        f"{cost / _batch(model) / 1e6:.0f} million multiply-adds: {' '.join(fewer)} measures more"
    )
    return replace(
        request, limit=pictures, settings=replace(request.settings, layer_images=layers), notes=(*request.notes, note)
    )


def _inputs(settings: VerifySettings) -> int:
    """About how many inputs a picture is run with."""
    shifts = settings.shifts
    # Pairs come again at the multiples of the grid's period and beside them, to split the change.
    pairs = 4 * shifts.pairs + shifts.neighbours + shifts.per_distance * len(shifts.distances)
    return 1 + pairs + shifts.path + ((2 * shifts.exhaustive + 1) ** 2 if shifts.exhaustive else 0)


def _batch(model: Model) -> int:
    """How many pictures a call takes, where the model fixes it."""
    stored = model.graph.initializers
    dims = next((value.dims for value in model.graph.inputs if value.name not in stored), None)
    return dims[0] if dims and isinstance(dims[0], int) and dims[0] > 0 and len(dims) == 4 else 1
