"""Test the tests: change one operator or number of the code at a time, and see whether a test fails.

    python scripts/mutate.py statistics --count 40 --seed 1

A copy of the checkout is changed, never the checkout. The same seed takes the same faults; another one takes others, so
that the nightly runs look at all of them in time. Faults that no test notices are listed, and the exit code is 1 where
the share of those noticed is below the floor.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Target:
    """Code by glob patterns, the tests that hold it, and the share of faults that they have to notice.

    Some faults cannot be noticed (a worse first guess of an iteration), so no floor is 1. None: not measured yet.
    """

    code: tuple[str, ...]
    tests: tuple[str, ...]
    floor: float | None = None


TARGETS = {
    "policy": Target(("auditor/policy/*.py",), ("tests/policy",), 0.5),
    "statistics": Target(
        ("auditor/verify/statistics.py", "auditor/verify/gaffke.py"),
        ("tests/verify/test_statistics.py", "tests/verify/test_gaffke.py"),
        0.5,
    ),
    "rewrite": Target(("auditor/rewrite/**/*.py",), ("tests/rewrite",)),
}
IGNORED = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "site", "dist", "build")

_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One change: ``number`` counts the places of a file that can be changed."""

    path: Path
    line: int
    number: int
    change: str


def faults(path: Path, source: str) -> list[Fault]:
    """Every change that can be made to a file, in its order."""
    places = enumerate(_places(ast.parse(source)))
    return [Fault(path, line, number, change) for number, (_, line, change) in places]


def with_fault(source: str, number: int) -> str:
    """The source with the change of that number made."""
    tree = ast.parse(source)
    node, _, _ = list(_places(tree))[number]
    if isinstance(node, ast.Compare):
        node.ops[0] = _swapped(node.ops[0])  # type: ignore[call-overload]  # a comparison is swapped for another
    elif isinstance(node, (ast.BinOp, ast.BoolOp)):
        node.op = _swapped(node.op)  # type: ignore[assignment]  # as above
    elif isinstance(node, ast.Constant):
        node.value = not node.value if isinstance(node.value, bool) else node.value + 1  # type: ignore[operator]
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def _swapped(operator: ast.AST) -> ast.AST:
    return _SWAPS[type(operator)]()


def _places(tree: ast.AST) -> Iterator[tuple[ast.AST, int, str]]:
    """The nodes that can be changed, with line and change; types are left out, since nothing runs them."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Compare) and type(node.ops[0]) in _SWAPS:
            yield node, node.lineno, _words(node.ops[0])
        elif isinstance(node, (ast.BinOp, ast.BoolOp)) and type(node.op) in _SWAPS:
            yield node, node.lineno, _words(node.op)
        elif isinstance(node, ast.Constant) and isinstance(node.value, (bool, int)):
            yield node, node.lineno, f"{node.value} changed"
        for name, value in ast.iter_fields(node):
            if name in {"annotation", "returns", "decorator_list"}:
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from _of_child(child)


def _of_child(child: ast.AST) -> Iterator[tuple[ast.AST, int, str]]:
    yield from _places(ast.Module(body=[child], type_ignores=[]))  # type: ignore[list-item]  # any node: only walked


def _words(operator: ast.AST) -> str:
    return f"{type(operator).__name__} became {_SWAPS[type(operator)].__name__}"


def passes(folder: Path, tests: Sequence[str], patience: float | None) -> bool:
    """Whether the tests pass in a copy of the checkout; a run without an end does not."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, timeout=patience)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def unnoticed(folder: Path, chosen: Sequence[Fault], tests: Sequence[str], patience: float) -> Iterator[Fault]:
    """The faults with which all tests still pass; ``folder`` is a copy that is put right again after each."""
    for fault in chosen:
        path = folder / fault.path
        source = path.read_text(encoding="utf-8")
        path.write_text(with_fault(source, fault.number), encoding="utf-8")
        try:
            if passes(folder, tests, patience):
                yield fault
        finally:
            path.write_text(source, encoding="utf-8")


def main() -> int:
    """Choose faults, try them, and name those that no test noticed."""
    parser = argparse.ArgumentParser(description="See whether tests notice faults in the code.")
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--count", type=int, default=40, help="how many faults to try")
    parser.add_argument("--seed", type=int, default=0, help="which faults to take")
    arguments = parser.parse_args()
    target = TARGETS[arguments.target]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(shutil.copytree(ROOT, Path(name) / ROOT.name, ignore=IGNORED))
        paths = sorted({path for pattern in target.code for path in folder.glob(pattern)})
        every = [fault for path in paths for fault in faults(path.relative_to(folder), path.read_text("utf-8"))]
        chosen = random.Random(arguments.seed).sample(every, min(arguments.count, len(every)))  # noqa: S311 - a sample
        began = time.monotonic()
        if not passes(folder, target.tests, None):
            sys.exit("the tests fail without any fault: run them first")
        patience = 30 + 5 * (time.monotonic() - began)
        left = 0
        for fault in unnoticed(folder, chosen, target.tests, patience):
            left += 1
            print(f"{fault.path.as_posix()}:{fault.line}: {fault.change}, and no test failed", flush=True)
    share = 1 - left / len(chosen)
    floor = "no floor was measured" if target.floor is None else f"the floor is {target.floor:.0%}"
    print(f"{len(chosen) - left} of {len(chosen)} faults noticed ({share:.0%}; {floor})")
    return 1 if target.floor is not None and share < target.floor else 0


if __name__ == "__main__":
    sys.exit(main())
