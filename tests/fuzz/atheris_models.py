"""Coverage-led search for models that break ``check``: ``python tests/fuzz/atheris_models.py FOLDER``.

FOLDER keeps the inputs that reached something new. Needs the package ``atheris``, which is not part of ``dev``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[2]


def main() -> int:
    """The exit code is 2 where atheris is not installed."""
    sys.path.insert(0, str(ROOT))
    try:
        import atheris
    except ImportError:
        sys.stderr.write("atheris is not installed: pip install atheris (wheels for Linux only)\n")
        return 2
    with atheris.instrument_imports(include=["auditor"]):
        from auditor.onnxfile import ModelFileError, read_model
        from auditor.sampling import analyse
    from tests.fuzz.corpus import models
    from tests.fuzz.messages import spliced

    folder = Path(tempfile.mkdtemp())
    path = folder / "mutant.onnx"
    for number, data in enumerate(models(shared=True)):
        (Path(sys.argv[1]) / f"start-{number}").write_bytes(data)

    def once(data: bytes) -> None:
        path.write_bytes(data)
        try:
            analyse(read_model(path))
        except ModelFileError:
            return

    def mutate(data: bytes, largest: int, seed: int) -> bytes:
        chance = Random(seed)
        mutant: bytes = atheris.Mutate(data, largest) if chance.random() < 0.5 else spliced(data, chance)
        return mutant[:largest]

    atheris.Setup(sys.argv, once, custom_mutator=mutate)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
