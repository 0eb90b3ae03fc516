"""The pairs of models that ``compare`` is about: two files, or models of the working tree and what they were in git."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from auditor.audit.run import ModelFile
from auditor.cli.errors import UsageError
from auditor.cli.inputs import gathered, shown
from auditor.comparison.revision import Revision, RevisionError
from auditor.comparison.run import ModelPair
from auditor.facts.report import Problem, ProblemKind
from auditor.policy.settings import Settings
from auditor.unfinished import spare_folder


@dataclass(slots=True)
class Changes:
    """What to compare, what could not be had, and what a reader should know about the rest."""

    changes: list[ModelPair] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


@contextmanager
def gathered_changes(
    files: Sequence[str], base_ref: str | None, models: Sequence[str], settings: Settings, weights: bool
) -> Iterator[Changes]:
    """The pairs of models to compare. Files from git are gone when the context ends.

    Raises:
        UsageError: The arguments do not go together.
    """
    if base_ref is None:
        if len(files) != 2 or models:
            raise UsageError("give the base and the new model, or --base-ref REF with models or folders")
        base, new = (ModelFile(Path(name), shown(Path(name))) for name in files)
        yield Changes([ModelPair(base, new)])
        return
    if not (files or models):
        raise UsageError("--base-ref needs models or folders of the working tree to compare")
    with spare_folder() as spare:
        found = Changes()
        for number, name in enumerate(dict.fromkeys([*files, *models])):
            folder = Path(spare, str(number))
            folder.mkdir()
            try:
                _Base(base_ref, folder, settings, weights, found).add(Path(name))
            except RevisionError as error:
                found.problems.append(Problem(ProblemKind.NOT_FOUND, str(error), shown(Path(name)), "base-not-found"))
        yield found


class _Base:
    """Finds what one argument was at the revision, and adds it to what is compared."""

    def __init__(self, reference: str, spare: Path, settings: Settings, weights: bool, found: Changes) -> None:
        self._reference, self._spare, self._settings = reference, spare, settings
        self._weights, self._found = weights, found

    def add(self, path: Path) -> None:
        """Add a model, or all models of a folder. Raises RevisionError."""
        known = next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())
        revision = Revision(self._reference, known)
        if path.exists() and not path.is_dir():
            self._model(revision, path)
            return
        before = [path] if revision.holds(path) else list(revision.models(path))
        with gathered([str(path)] if path.is_dir() else [], self._settings.limits.max_file_bytes) as (files, problems):
            self._found.problems += [one for one in problems if one.kind is not ProblemKind.NO_INPUTS]
            renamed = [self._try(revision, file.path) for file in files]
        if not (files or before):
            what = "holds no .onnx file, and held none" if path.is_dir() else "does not exist, and did not exist"
            raise RevisionError(f"{what} at {self._reference}; check the path")
        gone = [old for old in before if not old.exists() and old.absolute() not in renamed]
        self._found.remarks += [f"{shown(old)}: deleted since {self._reference}, nothing to audit" for old in gone]

    def _try(self, revision: Revision, path: Path) -> Path | None:
        """Add one model of several: one that cannot be compared does not end the others."""
        try:
            return self._model(revision, path)
        except RevisionError as error:
            self._found.problems.append(Problem(ProblemKind.NOT_FOUND, str(error), shown(path), "base-not-found"))
            return None

    def _alike(self, revision: Revision, path: Path) -> Path | None:
        folder = self._spare / f"alike-{len(self._found.changes)}"
        folder.mkdir()
        return revision.alike(path, folder, self._settings.limits)

    def _model(self, revision: Revision, path: Path) -> Path | None:
        """Add a model that is there; returns what it was renamed from."""
        new, old = ModelFile(path, shown(path)), None
        if not revision.holds(path):
            old = revision.renamed_from(path) or self._alike(revision, path)
            if old is None:
                self._found.remarks.append(f"{new.name}: new since {self._reference}, so all of its findings count")
                self._found.changes.append(ModelPair(None, new))
                return None
            self._found.remarks.append(f"{new.name}: renamed since {self._reference} from {shown(old)}")
        folder = self._spare / str(len(self._found.changes))
        folder.mkdir()
        copy = revision.copy(old or path, folder, self._settings.limits, self._weights)
        self._found.changes.append(ModelPair(ModelFile(copy, f"{self._reference}:{shown(old or path)}"), new))
        return old.absolute() if old is not None else None
