"""The public function that plans tiles, as :mod:`auditor` exports it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from auditor.audit.given import file_at, named, settings_of
from auditor.audit.input_shapes import check_input_shapes
from auditor.onnxfile import read_model
from auditor.options.tiling import Tiling
from auditor.policy.settings import Settings
from auditor.tiling.options import read_seams
from auditor.tiling.plan import TileRequest, TileSizeError, plan_tiles
from auditor.tiling.result import TilePlan


def tiles(
    path: str | os.PathLike[str],
    /,
    *,
    memory: int | str | None = None,
    tile: int | str | tuple[int, ...] | None = None,
    settings: Settings | None = None,
    verify: Mapping[str, object] | None = None,
    tolerance: float = 0.001,
) -> TilePlan:
    """Plan the tiles of a picture that is too large for one call of a model.

    Nothing is printed, and the model is run only with ``verify``.

    Args:
        path: The model.
        memory: The memory of one call, in bytes or as ``"8GB"``: the largest tile that is estimated to fit is advised.
        tile: The size of a tile, ``(512, 768)`` or one number for all sides.
        settings: Input shapes and limits.
        verify: The options of a measurement by name (``{"images": "slides", "preset": "unit"}``) to also run tiles
            beside the whole picture, in ``seams`` of the plan; None runs nothing.
        tolerance: The difference that does not matter, as a share of the range of the output.

    Raises:
        ModelFileError: The model cannot be read, or exceeds the limits.
        ValueError: An option is not valid, or the model cannot have this size of tile.
        VerifyError: No picture can be used, or the model could not be run.
        NoTilesError: Nothing in the model is a map of its input.

    Examples:
        >>> from auditor import tiles
        >>> from auditor.demo import demo_model
        >>> plan = tiles(demo_model())
        >>> plan.exact, plan.axes[0].grid, plan.axes[0].overlap
        (False, 8, 40)
    """
    settings = settings_of(settings)
    options = Tiling.from_keywords({"memory": memory, "tile": tile, "tolerance": tolerance})
    seams = None if verify is None else read_seams(verify, options.tolerance)
    file = file_at(path)
    check_input_shapes([file], settings)
    with named(file.name):
        model = read_model(file.path, settings.limits)
        try:
            plan = plan_tiles(
                model, TileRequest(options.memory, options.tile), file.name, settings.input_shapes, settings.limits
            )
        except TileSizeError as error:
            raise ValueError(str(error).removeprefix("--")) from error
        if seams is None:
            return plan
        from auditor.tiling.seams import measure_seams

        return measure_seams(model, plan, seams)
