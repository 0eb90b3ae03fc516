"""``aliasaudit finetune``: train a rewritten model, without labels, to answer as its original does on the average."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from auditor.cli.errors import UsageError
from auditor.cli.flags import flags
from auditor.cli.options import settings_from
from auditor.options.flatten import Only
from auditor.options.general import Output, Sources, TextOrJson
from auditor.options.measuring import Measuring
from auditor.options.training import Training


@flags
def finetune(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A rewritten ONNX file, such as `fix` writes.")],
    training: Training,
    measuring: Annotated[Measuring, Only("images", "images_limit", "preset", "resize", "fit", "device")],
    report: TextOrJson,
    sources: Annotated[Sources, Only("config", "isolated")],
    output: Annotated[Output, Only("no_progress")],
) -> None:
    """Train a rewritten model, without labels, to answer as its original does on the average over shifts.

    A blur changes what a network computes; training brings the answers back. The original answers every picture in
    several shifts, and the rewritten model learns the mean from single shifts. Batch norms keep their statistics, fixed
    filters stay, and a quarter of the pictures is held out to choose the best epoch. Nothing but trained weights
    changes in the file. Needs the extra `finetune`, and runs the model to train in this process: train what you trust.

    Exit codes: 0 written, 1 nothing helped and nothing was written, 2 usage, settings or internal error, 3 a model
    could not be read, 130 interrupted.
    """
    from auditor.audit.run import ModelFile, project_path
    from auditor.cli.measuring import trusted_request, watched
    from auditor.cli.output import emit, say
    from auditor.facts.formats import Format
    from auditor.finetune import FinetuneError
    from auditor.finetune import finetune as train
    from auditor.finetune.convert import require_installed
    from auditor.finetune.result import Schedule
    from auditor.onnxfile import ModelFileError, read_model
    from auditor.policy.verdict import ExitCode
    from auditor.repair.loading import require_loads
    from auditor.report.repair.finetune import tuning_json, tuning_text
    from auditor.rewrite.result import RewriteError
    from auditor.text import plain
    from auditor.verify.errors import VerifyError
    from auditor.verify.observer import Silent

    settings = settings_from(sources, report.output, measuring)
    schedule = Schedule(**{field.name: getattr(training, field.name) for field in fields(Schedule)})
    original = training.original.as_posix()
    file = ModelFile(training.original, original)
    name = model
    try:
        require_installed()
        request = trusted_request(settings, project_path(file, settings.root))
        if request.images is None:
            raise UsageError("--images names the pictures to learn from; they need no labels")
        name = original
        teacher = read_model(file.path, settings.limits)
        name = model
        student = read_model(Path(model), settings.limits)
        with watched(output) as observer:
            done = train(
                student,
                teacher,
                request,
                training.target,
                schedule,
                observer or Silent(),
                partial(require_loads, student),
            )
    except ModelFileError as error:
        say(f"{name}: {error.reason}")
        raise typer.Exit(ExitCode.INCOMPLETE) from error
    except (FinetuneError, VerifyError) as error:
        detail = f" ({plain(error.detail, 300)})" if error.detail else ""
        raise UsageError(f"{model}: {error}{detail}") from error
    except RewriteError as error:
        raise UsageError(f"{model}: {error}") from error
    emit((tuning_json if settings.output_format is Format.JSON else tuning_text)(model, original, done))
    raise typer.Exit(0 if done.path is not None else 1)
