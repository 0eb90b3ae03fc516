"""``aliasaudit finetune``: train a rewritten model, without labels, to answer as its original does on the average."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from auditor.cli import measuring_options, options
from auditor.cli.errors import UsageError
from auditor.cli.panels import Panel, option

if TYPE_CHECKING:
    from typer.models import OptionInfo

    from auditor.finetune.result import Schedule

_FORMATS = ("text", "json")

_Number = TypeVar("_Number", int, float)


def _option(flag: str, metavar: str, text: str) -> OptionInfo:
    return option(Panel.TRAINING, flag, metavar=metavar, text=text)


def finetune(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A rewritten ONNX file, such as `fix` writes.")],
    original: Annotated[str, _option("--original", "FILE", "The model that was rewritten: the teacher.")],
    target: Annotated[
        str, option(Panel.TRAINING, "--output", "-o", metavar="FILE", text="Write the trained model here.")
    ],
    images: measuring_options.Images = None,
    images_limit: measuring_options.ImagesLimit = None,
    preset: measuring_options.Preset = None,
    device: measuring_options.Device = None,
    epochs: Annotated[str | None, _option("--epochs", "N", "Passes over all pictures. [default: 10]")] = None,
    rate: Annotated[str | None, _option("--rate", "SHARE", "Highest relative learning rate. [default: 1e-4]")] = None,
    batch: Annotated[str | None, _option("--batch", "N", "Pictures per step. [default: 8]")] = None,
    shifts: Annotated[str | None, _option("--shifts", "N", "Average the original over N shifts. [default: 8]")] = None,
    views: Annotated[str | None, _option("--views", "N", "Random parts of each picture. [default: 4]")] = None,
    seed: Annotated[str | None, _option("--seed", "N", "Seed of shifts and order. [default: 0]")] = None,
    minutes: Annotated[str | None, _option("--minutes", "N", "End the training after N minutes.")] = None,
    output_format: Annotated[
        str | None,
        option(Panel.REPORT, "--output-format", metavar="text|json", text="Format of the report. [default: text]"),
    ] = None,
    config: options.Config = None,
    isolated: options.Isolated = False,
    no_progress: options.NoProgress = False,
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
    from auditor.cli.auditing import Output
    from auditor.cli.measuring import trusted_request, watched
    from auditor.cli.output import emit, say
    from auditor.facts.formats import Format
    from auditor.finetune import FinetuneError
    from auditor.finetune import finetune as train
    from auditor.finetune.convert import require_installed
    from auditor.onnxfile import ModelFileError, read_model
    from auditor.policy.verdict import ExitCode
    from auditor.repair.loading import require_loads
    from auditor.report.repair.finetune import tuning_json, tuning_text
    from auditor.rewrite.result import RewriteError
    from auditor.text import plain
    from auditor.verify.errors import VerifyError
    from auditor.verify.runner import Silent

    settings = options.settings_from(
        config,
        isolated,
        False,
        {
            "output-format": output_format,
            "verify": options.given(
                {"images": images, "images-limit": images_limit, "preset": preset, "device": device}
            ),
        },
    )
    if output_format is not None and output_format not in _FORMATS:
        raise UsageError(f"--output-format must be one of {', '.join(_FORMATS)}")
    schedule = _schedule((epochs, batch, shifts, views), rate, seed, minutes)
    file = ModelFile(Path(original), original)
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
        with watched(Output(progress=not no_progress)) as observer:
            done = train(
                student,
                teacher,
                request.source(),
                request.settings,
                Path(target),
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


def _schedule(
    counts: tuple[str | None, str | None, str | None, str | None],
    rate: str | None,
    seed: str | None,
    minutes: str | None,
) -> Schedule:
    from auditor.finetune.result import Schedule

    default = Schedule()
    epochs, batch, shifts, views = counts
    return Schedule(
        epochs=_number("--epochs", epochs, int, 1, default.epochs),
        rate=_number("--rate", rate, float, 1e-12, default.rate),
        batch=_number("--batch", batch, int, 1, default.batch),
        shifts=_number("--shifts", shifts, int, 1, default.shifts),
        views=_number("--views", views, int, 1, default.views),
        seed=_number("--seed", seed, int, 0, default.seed),
        minutes=None if minutes is None else _number("--minutes", minutes, float, 0.01, 0.0),
    )


def _number(flag: str, text: str | None, kind: Callable[[str], _Number], least: float, default: _Number) -> _Number:
    if text is None:
        return default
    try:
        found = kind(text)
    except ValueError:
        found = kind("-1")
    if not least <= found < float("inf"):
        raise UsageError(f"{flag} must be a number of {least:g} or more")
    return found
