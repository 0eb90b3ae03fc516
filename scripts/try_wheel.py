"""Install a wheel into an empty environment and run the program there: ``python scripts/try_wheel.py dist``.

``--extras cpu,images`` installs optional parts with it.
``--bill FILE`` also writes what came with it as a CycloneDX bill of materials (needs ``cyclonedx-bom``).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Command and the exit codes that are right; the example has findings.
COMMANDS = ((("--version",), {0}), (("rule", "--all"), {0}), (("demo",), {0, 1}), (("config", "--isolated"), {0}))


def wheel_in(folder: Path) -> Path:
    """The one wheel of a folder.

    Raises:
        ValueError: There is none, or more than one.
    """
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise ValueError(f"{folder} must hold one wheel, not {len(wheels)}: run python -m build")
    return wheels[0]


def installed(wheel: Path, folder: Path, extras: str = "") -> Path:
    """A new environment in ``folder`` with the wheel and some of its extras in it; the folder of its programs."""
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    python = str(programs / "python")
    what = f"{wheel.resolve()}[{extras}]" if extras else str(wheel.resolve())
    subprocess.run([python, "-m", "pip", "install", "--quiet", what], check=True)
    return programs


def tried(programs: Path, folder: Path) -> list[str]:
    """What went wrong when the program ran where no checkout is, one line per command."""
    lines: list[str] = []
    for arguments, right in COMMANDS:
        command = [str(programs / "aliasaudit"), *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)
        if done.returncode not in right or not done.stdout.strip() or "Traceback" in done.stderr:
            lines.append(f"aliasaudit {' '.join(arguments)}: exit code {done.returncode}: {done.stderr.strip()}")
    return lines


def main() -> int:
    """Try the wheel, and say what went wrong."""
    parser = argparse.ArgumentParser(description="Install a wheel into an empty environment and run it there.")
    parser.add_argument("folder", type=Path, help="where the wheel is")
    parser.add_argument("--bill", type=Path, help="write a CycloneDX bill of materials to this file")
    parser.add_argument("--extras", default="", help="optional parts to install with it, separated by commas")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs = installed(wheel_in(arguments.folder), folder / "environment", arguments.extras)
        lines = tried(programs, folder)
        if arguments.bill is not None:
            write = [sys.executable, "-m", "cyclonedx_py", "environment", "--of", "JSON", "-o", str(arguments.bill)]
            subprocess.run([*write, str(programs / "python")], check=True)
    for line in lines:
        print(line)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
