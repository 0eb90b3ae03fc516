"""What ``verify --shard`` writes and ``merge`` reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.audit.run import Measure, ModelFile, analysed, project_path
from auditor.cli.errors import UsageError
from auditor.cli.inputs import shown
from auditor.cli.measuring import trusted_request, watched
from auditor.cli.output import refuse_overwriting, say
from auditor.facts.report import Problem, ProblemKind
from auditor.files import read_whole
from auditor.onnxfile import ModelFileError, read_runnable
from auditor.options.general import Output
from auditor.options.thresholds import Thresholds
from auditor.policy.settings import Settings
from auditor.policy.verdict import ExitCode
from auditor.text import plain
from auditor.verify.errors import VerifyError

if TYPE_CHECKING:
    from auditor.onnxfile.graph import Model
    from auditor.sampling.result import Analysis
    from auditor.verify.result import Verification
    from auditor.verify.shard import ShardFile, ShardModel


def write_shards(
    files: Sequence[ModelFile],
    problems: Sequence[Problem],
    settings: Settings,
    show: Output,
    shard: tuple[int, int],
) -> ExitCode:
    """Measure a part of the images with each model, and write what was measured.

    Raises:
        SettingsError: an option is not valid.
        UsageError: there is no file to write to, or it cannot be written.
    """
    from auditor.verify.shard import FORMAT, ShardFile, write_shard

    if show.output is None:
        raise UsageError("--shard writes a document for `aliasaudit merge`: give --output FILE, such as shard.json.gz")
    if show.report or "output_format" in show.given:
        raise UsageError("--shard writes no report: give --report and --output-format to `aliasaudit merge`")
    refuse_overwriting(show.output, [file.path for file in files])
    for problem in problems:
        say(f"{problem.path}: {problem.message}")
    failed = bool(problems) or not files
    models: list[ShardModel] = []
    for file in files:
        try:
            models.append(_measured(file, settings, show, shard))
        except ModelFileError as error:
            say(f"{file.name}: {error.reason}")
            failed = True
        except VerifyError as error:
            detail = f" ({plain(error.detail, 300)})" if error.detail else ""
            say(f"{file.name}: {error}{detail}")
            failed = True
    if models:
        data = write_shard(ShardFile(FORMAT, *shard, tuple(models)), show.output.name)
        _write(show.output, data)
        if not show.quiet:
            say(f"wrote {shown(show.output)}: shard {shard[0]} of {shard[1]}")
    return ExitCode.INCOMPLETE if failed else ExitCode.CLEAN


def _measured(file: ModelFile, settings: Settings, show: Output, shard: tuple[int, int]) -> ShardModel:
    from auditor.repair.layered import open_layered
    from auditor.verify.budget import within_budget
    from auditor.verify.observer import Silent
    from auditor.verify.shard import measure_shard

    model = read_runnable(file.path, settings.limits)
    analysis, _ = analysed(model, settings, settings.input_shapes)
    request = trusted_request(settings, project_path(file, settings.root)).for_file(model.metadata)
    request = within_budget(request, model, analysis)
    with watched(show) as observer, open_layered(model, request.source(), request.settings, analysis) as run:
        return measure_shard(run, file.name, *shard, observer or Silent())


def _write(path: Path, data: bytes) -> None:
    from auditor.files import replacing

    try:
        with replacing(path) as sink:
            sink.write(data)
    except OSError as error:
        raise UsageError(f"{path.as_posix()}: cannot be written: {error.strerror}") from error


class Shards:
    """The shards that were given, each with the name of its file, and what is wrong with others."""

    def __init__(self, names: Sequence[str]) -> None:
        from auditor.codec import DocumentError
        from auditor.verify.shard import on_disk, read_shard

        self.problems: list[Problem] = []
        self._shards: list[tuple[str, ShardFile]] = []
        for name in names:
            try:
                self._shards.append((name, on_disk(read_shard(read_whole(Path(name))))))
            except OSError as error:
                self.problems.append(Problem(ProblemKind.UNREADABLE, f"cannot be read: {error.strerror}", name))
            except DocumentError as error:
                message = f"{error}; a shard is what `aliasaudit verify --shard` writes"
                self.problems.append(Problem(ProblemKind.UNREADABLE, message, name))

    def models(self) -> list[ModelFile]:
        """The models of all shards, each once, in the order of the first shard."""
        ordered = sorted(self._shards, key=lambda item: item[1].number)
        names = dict.fromkeys(model.path for _, shard in ordered for model in shard.models)
        return [ModelFile(Path(name), name, only_run=True) for name in names]

    def measure(self, held: Thresholds, partial: bool = False) -> Measure:
        """The function that merges what the shards measured on a model."""

        def measure(file: ModelFile, model: Model, analysis: Analysis) -> Verification:  # noqa: ARG001 - as a Measure is
            from auditor.verify.minimum import with_required
            from auditor.verify.shard import merged
            from auditor.verify.versions import file_sha256

            parts = [
                (name, shard, found)
                for name, shard in self._shards
                for found in shard.models
                if found.path == file.name
            ]
            measured = {name for name, _, _ in parts}
            without = [name for name, _ in self._shards if name not in measured]
            found = merged(parts, file_sha256(file.path), without, partial)
            return found if found.incomplete else with_required(found, held)

        return measure
