"""The portable form of a model that is repaired, or of the model as it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from auditor.onnxfile.graph import Model
from auditor.policy.settings import Settings
from auditor.repair.original import Original
from auditor.rewrite.options import Rewriting, SearchBudget
from auditor.rewrite.portable.prices import MOST
from auditor.rewrite.portable.result import Lowered
from auditor.rewrite.portable.run import lower
from auditor.rewrite.result import RewriteError
from auditor.sampling.analysis import observe
from auditor.targets.forms import OPERATORS
from auditor.targets.table import read_targets, target_names


@dataclass(frozen=True, slots=True)
class Portability:
    """The targets to lower for, as they are written in settings (none: all that are known), and what that may cost."""

    targets: tuple[str, ...] = ()
    most: float = MOST


def portability(
    rewriting: Rewriting, search: SearchBudget, settings: Settings, *, searches: bool
) -> Portability | None:
    """What the options ask to lower for, None where they do not. A search has its own use for the largest cost."""
    if not rewriting.portable:
        return None
    given = "max_cost" in search.given and not searches
    return Portability(settings.targets, search.max_cost if given else MOST)


def lowered(original: Original, model: Model, wanted: Portability, target: Path | None) -> Lowered:
    """Lower a model into ``target``; None is a dry run.

    Raises:
        RewriteError: a target is not known, or the result cannot be written.
        ModelFileError: the model has changed since it was read.
    """
    settings = original.settings
    try:
        targets = read_targets(wanted.targets or target_names())
    except ValueError as error:
        raise RewriteError(str(error)) from error
    analysis, nodes = observe(model, settings.input_shapes, settings.limits, OPERATORS)
    return lower(model, analysis, nodes, targets, target, most=wanted.most)
