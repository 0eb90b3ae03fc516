"""What a repair did, and what that was measured to do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from auditor.document import Documented
from auditor.repair.original import Original
from auditor.repair.search.gain import Gain
from auditor.repair.search.search import Search
from auditor.repair.trials import LockTest
from auditor.rewrite.portable.result import Lowered
from auditor.rewrite.result import Rewritten, Skipped
from auditor.sampling.result import Site
from auditor.text import count_text, plain
from auditor.verify.result import Verification


@dataclass(frozen=True, slots=True, repr=False)
class Repaired(Documented):
    """``path`` is what was written, None where nothing was; ``backup`` what the model is called that it replaced.

    ``rewrites`` were done one after the other: those of the best candidate of a ``search``, none where nothing helps.
    ``gain`` is what was measured, None where nothing was. ``kept_back`` says that a gain was required, and not found.
    ``inlined`` counts the local functions that were put in the place of their calls. ``trials`` are the tests that a
    grid lock had to pass: where one of them failed, nothing was written. ``lowered`` says what got a portable form,
    None where none was asked for. ``measured`` are the results behind ``gain``, the original's first; a search has
    none.
    """

    path: Path | None
    rewrites: tuple[Rewritten, ...]
    gain: Gain | None = None
    search: Search | None = None
    backup: Path | None = None
    kept_back: bool = False
    inlined: int = 0
    trials: tuple[LockTest, ...] = ()
    lowered: Lowered | None = None
    measured: tuple[Verification, Verification] | None = None

    def __repr__(self) -> str:
        written = "nothing written" if self.path is None else f"wrote {plain(self.path.as_posix(), 120)}"
        facts = [rewrite.strategy.value for rewrite in self.rewrites]
        if self.rewrites or self.lowered is None:
            facts += [
                f"{count_text(len(self.sites), 'site')} rewritten",
                *[f"{len(self.skipped)} left"] * bool(self.skipped),
            ]
        facts += [] if self.lowered is None else [f"{count_text(len(self.lowered.nodes), 'node')} lowered"]
        facts += [f"{count_text(len(self.search.trials), 'candidate')} measured"] if self.search is not None else []
        facts += ["measured"] * (self.gain is not None) + ["no gain"] * self.kept_back
        return f"<Repaired: {written}; {', '.join(facts)}>"

    @property
    def sites(self) -> tuple[Site, ...]:
        """The sites that were rewritten, in the order of the rewrites."""
        return tuple(site for done in self.rewrites for site in done.sites)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The sites that were left as they are, each with the reason."""
        return tuple(skip for done in self.rewrites for skip in done.skipped)


@dataclass(frozen=True, slots=True)
class Staged:
    """A repaired model that has no name yet: ``path`` lies in a hidden folder, None where there is nothing to keep.

    The other fields are those of :class:`Repaired`.
    """

    path: Path | None
    rewrites: tuple[Rewritten, ...]
    gain: Gain | None = None
    search: Search | None = None
    kept_back: bool = False
    trials: tuple[LockTest, ...] = ()
    lowered: Lowered | None = None
    measured: tuple[Verification, Verification] | None = None

    def keep(self, original: Original) -> Repaired:
        """Give it its name, if there is a place for it and nothing against it. Raises RewriteError."""
        done = Repaired(
            None,
            self.rewrites,
            self.gain,
            self.search,
            inlined=original.inlined,
            trials=self.trials,
            lowered=self.lowered,
            measured=self.measured,
        )
        if self.path is None or original.target is None:
            return done
        if any(one.held_back for one in self.trials):
            return done
        if self.kept_back:
            return replace(done, kept_back=True)
        return replace(done, path=original.target, backup=original.keep(self.path))
