"""The pairs of models that ``compare`` is about: two files, or models of the working tree and what they were in git."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from auditor.audit.run import ModelFile
from auditor.cli.errors import UsageError
from auditor.cli.inputs import gathered, shown
from auditor.comparison.renames import origins
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
        arguments: list[_Argument] = []
        for name in dict.fromkeys([*files, *models]):
            with _told(found, Path(name)):
                arguments.append(_Argument(base_ref, Path(name), settings, found))
        renamed = _renamed(arguments, Path(spare), settings)
        for number, argument in enumerate(arguments):
            folder = Path(spare, str(number))
            folder.mkdir()
            with _told(found, argument.path):
                argument.add(renamed, folder, weights)
        yield found


@contextmanager
def _told(found: Changes, path: Path) -> Iterator[None]:
    """What git cannot give is a problem of the one argument."""
    try:
        yield
    except RevisionError as error:
        found.problems.append(Problem(ProblemKind.NOT_FOUND, str(error), shown(path), "base-not-found"))


def _renamed(arguments: Sequence[_Argument], spare: Path, settings: Settings) -> Mapping[Path, Path]:
    """What the new files of all arguments were called, by the repository that they are in."""
    new: dict[Path, list[Path]] = {}
    revisions: dict[Path, Revision] = {}
    for argument in arguments:
        revisions.setdefault(argument.revision.top, argument.revision)
        new.setdefault(argument.revision.top, []).extend(argument.new)
    found: dict[Path, Path] = {}
    for number, (top, paths) in enumerate(new.items()):
        folder = spare / f"renamed-{number}"
        folder.mkdir()
        found |= origins(revisions[top], list(dict.fromkeys(paths)), folder, settings.limits)
    return found


class _Argument:
    """A model, or a folder of models: what it is now, and what it was at the revision.

    Raises:
        RevisionError: There is no such revision, or nothing at the path now and then.
    """

    def __init__(self, reference: str, path: Path, settings: Settings, found: Changes) -> None:
        self._reference, self._settings, self._found = reference, settings, found
        self.path = path
        known = next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())
        self.revision = Revision(reference, known)
        self._alone = path.exists() and not path.is_dir()
        self._before: list[Path] = []
        if self._alone:
            self.models = [path]
            return
        self._before = [path] if self.revision.holds(path) else list(self.revision.models(path))
        with gathered([str(path)] if path.is_dir() else [], settings.limits.max_file_bytes) as (files, problems):
            found.problems += [one for one in problems if one.kind is not ProblemKind.NO_INPUTS]
            self.models = [file.path for file in files]
        if not (self.models or self._before):
            what = "holds no .onnx file, and held none" if path.is_dir() else "does not exist, and did not exist"
            raise RevisionError(f"{what} at {reference}; check the path")

    @property
    def new(self) -> list[Path]:
        """The models that the revision does not have."""
        return [path for path in self.models if not self.revision.holds(path)]

    def add(self, renamed: Mapping[Path, Path], spare: Path, weights: bool) -> None:
        """Add the models to what is compared. Raises RevisionError for one that stands alone."""
        for number, path in enumerate(self.models):
            folder = spare / str(number)
            folder.mkdir()
            if self._alone:
                self._model(path, renamed.get(path), folder, weights)
            else:  # one that cannot be compared does not end the others
                with _told(self._found, path):
                    self._model(path, renamed.get(path), folder, weights)
        origins = {old.absolute() for old in renamed.values()}
        gone = [old for old in self._before if not old.exists() and old.absolute() not in origins]
        self._found.remarks += [f"{shown(old)}: deleted since {self._reference}, nothing to audit" for old in gone]

    def _model(self, path: Path, old: Path | None, folder: Path, weights: bool) -> None:
        """Add a model that is there; ``old`` is what it was called, None where it has its name or is new."""
        new = ModelFile(path, shown(path))
        if old is not None:
            self._found.remarks.append(f"{new.name}: renamed since {self._reference} from {shown(old)}")
        elif not self.revision.holds(path):
            self._found.remarks.append(f"{new.name}: new since {self._reference}, so all of its findings count")
            self._found.changes.append(ModelPair(None, new))
            return
        copy = self.revision.copy(old or path, folder, self._settings.limits, weights)
        self._found.changes.append(ModelPair(ModelFile(copy, f"{self._reference}:{shown(old or path)}"), new))
