"""``check --changed-since``: of the models only those that a branch changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from auditor.audit.run import ModelFile
from auditor.cli.errors import UsageError
from auditor.cli.inputs import STANDARD_INPUT
from auditor.onnxfile.limits import Limits
from auditor.text import count_text


def only_changed(files: Sequence[ModelFile], reference: str, limits: Limits) -> tuple[list[ModelFile], str]:
    """The models that are new or not as they were where the branch left ``reference``, and a line on the others.

    Raises:
        UsageError: git has no such revision, or a model lies outside of the repository.
    """
    from auditor.comparison.revision import Revision, RevisionError

    try:
        base = Revision(reference, Path.cwd()).at_branching()
        kept = [file for file in files if file.name == STANDARD_INPUT or base.differs(file.path, limits)]
    except RevisionError as error:
        raise UsageError(f"--changed-since: {error}") from error
    same = len(files) - len(kept)
    words = f"{count_text(same, 'model is', 'models are')} as at {reference}, and left out (--changed-since)"
    return kept, words if same else ""
