"""The model to repair, and where the result goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from auditor.onnxfile import read_model
from auditor.onnxfile.graph import Model
from auditor.policy.settings import Settings
from auditor.repair.loading import require_loads
from auditor.rewrite.graph.inline import inlined
from auditor.rewrite.graph.save import check_target, publish
from auditor.sampling import Analysis, analyse


@dataclass(frozen=True, slots=True)
class Original:
    """A model to repair. ``named`` is the file that the user named; ``model`` and ``analysis`` are what is rewritten:
    the same, or a copy of it without local functions.

    ``target`` is where the result goes, None for a dry run; it may be ``named`` only where ``in_place``.
    """

    named: Model
    model: Model
    analysis: Analysis
    settings: Settings
    target: Path | None = None
    in_place: bool = False

    @property
    def inlined(self) -> int:
        """How many functions were put in the place of their calls."""
        return 0 if self.model is self.named else len(self.named.functions)

    def read(self, path: Path) -> tuple[Model, Analysis]:
        """Another file, read as the original was. Raises ModelFileError."""
        model = read_model(path, self.settings.limits)
        return model, analyse(model, self.settings.input_shapes, self.settings.limits)

    def check(self) -> None:
        """Refuse what cannot be written before time is spent on measuring. Raises RewriteError."""
        if self.target is not None:
            check_target(self.named, self.target, in_place=self.in_place)

    def keep(self, staged: Path) -> Path | None:
        """Give the staged file its name; returns the backup of an overwritten model. Raises RewriteError."""
        assert self.target is not None
        finished = read_model(staged, self.settings.limits)
        return publish(finished, self.target, self.named, in_place=self.in_place, admit=self.admit)

    def admit(self, written: Path) -> None:
        """Refuse a rewritten file that cannot be loaded. Raises RewriteError."""
        require_loads(self.named, written)


@contextmanager
def opened(
    path: Path, settings: Settings, target: Path | None = None, *, in_place: bool = False, inline: bool = False
) -> Iterator[Original]:
    """A model with its analysis, while the context lasts; with ``inline`` without local functions.

    Raises:
        ModelFileError: The model cannot be read, or exceeds the limits of ``settings``.
        RewriteError: Its functions cannot be inlined.
    """
    named = read_model(path, settings.limits)
    with inlined(named, settings.limits) if inline else nullcontext(named) as model:
        analysis = analyse(model, settings.input_shapes, settings.limits)
        yield Original(named, model, analysis, settings, target, in_place)
