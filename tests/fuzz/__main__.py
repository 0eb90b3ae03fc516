"""``python -m tests.fuzz TARGET --seed N --count N``: run mutants, show each broken promise and what runs it again."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from auditor.sampling import trace
from tests.fuzz.corpus import build, models
from tests.fuzz.run import Case, Corpus, Verdict, mutant, run_case
from tests.fuzz.targets import TARGETS


def main() -> int:
    """The exit code is 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], help="default: all")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=100, help="mutants per target")
    parser.add_argument("--keep", type=Path, help="also write each mutant that breaks a promise to this folder")
    parser.add_argument(
        "--others", action="store_true", help="also mutate the models of other people beside the checkout"
    )
    parser.add_argument("--debug", action="store_true", help="show the tracebacks of the program")
    wanted = parser.parse_args()
    trace.FAULTS = ()  # a wrong type within the analysis is a fault, too
    broken = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "corpus"
        folder.mkdir()
        build(folder)
        corpus = Corpus(folder, tuple(models(shared=wanted.others)))
        for name in wanted.targets or TARGETS:
            slowest = (0.0, -1)
            codes: Counter[str] = Counter()
            for seed in range(wanted.seed, wanted.seed + wanted.count):
                case = Case(TARGETS[name], seed)
                with tempfile.TemporaryDirectory(dir=place) as work:
                    verdict = run_case(case, corpus, Path(work), *(["--debug"] if wanted.debug else []))
                codes[str(verdict.code)] += 1
                slowest = max(slowest, (verdict.seconds, seed))
                if verdict.faults:
                    broken += 1
                    _show(case, verdict)
                    if wanted.keep is not None:
                        wanted.keep.mkdir(parents=True, exist_ok=True)
                        kept = f"{name}-{seed}{Path(case.target.mutant).suffix}"
                        (wanted.keep / kept).write_bytes(mutant(case, corpus)[0])
            ended = ", ".join(f"{code}: {count}" for code, count in sorted(codes.items()))
            print(f"{name}: {wanted.count} mutants, by exit code {ended}; slowest {slowest[0]:.1f} s ({slowest[1]})")
            sys.stdout.flush()
    return 1 if broken else 0


def _show(case: Case, verdict: Verdict) -> None:
    said = f"{verdict.out.strip()}\n{verdict.err.strip()}"
    print(f"{case.command}\n  aliasaudit {' '.join(verdict.line)}\n  {'; '.join(verdict.faults)}", flush=True)
    print("".join(f"  | {row[:300]}\n" for row in said.splitlines()[-12:]), end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
