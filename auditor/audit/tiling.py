"""The plan of tiles of one model, as a report: what cannot be read, cut or measured is a problem of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from auditor._version import __version__
from auditor.audit.run import ModelFile, failure, not_measured
from auditor.facts.report import Problem, ProblemKind
from auditor.facts.tiling import TilesReport
from auditor.onnxfile import read_model
from auditor.policy.settings import Settings
from auditor.tiling.plan import NoTilesError, TileRequest, TileSizeError, plan_tiles
from auditor.verify.errors import VerifyError

if TYPE_CHECKING:
    from auditor.onnxfile.graph import Model
    from auditor.tiling.result import TilePlan

MeasureSeams = Callable[["Model", "TilePlan"], "TilePlan"]
"""Runs tiles beside the whole picture, and gives the plan with what it measured."""


def audit_tiles(
    file: ModelFile,
    request: TileRequest,
    settings: Settings,
    measure: MeasureSeams | None = None,
    reraise: bool = False,
) -> TilesReport:
    """Plan the tiles of one model, and run them with ``measure``. ``reraise`` lets faults of this program through.

    Raises:
        TileSizeError: the tile that was asked for does not fit the model.
    """
    plan: TilePlan | None = None
    problems: tuple[Problem, ...] = ()
    try:
        model = read_model(file.path, settings.limits)
        plan = plan_tiles(model, request, file.name, settings.input_shapes, settings.limits)
        if measure is not None:
            plan = measure(model, plan)
    except TileSizeError:
        raise
    except NoTilesError as error:
        problems = (Problem(ProblemKind.NOT_MEASURED, str(error), file.name, "no-tiles"),)
    except VerifyError as error:
        problems = (not_measured(error, file.name),)
    except Exception as error:  # noqa: BLE001 - a fault is a problem of the report
        problems = failure(error, file.name, reraise).problems
    return TilesReport(__version__, file.name, plan, problems)
