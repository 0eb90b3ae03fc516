"""``aliasaudit compare``: the merge gate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.cli import measuring_options, options
from auditor.cli.errors import UsageError
from auditor.cli.session import Session
from auditor.policy.thresholds import COMPARED_IMAGES, THRESHOLDS

if TYPE_CHECKING:
    from auditor.comparison.run import Change
    from auditor.policy.settings import Settings
    from auditor.report.model import Problem


def _threshold(name: str, metavar: str) -> typer.models.OptionInfo:
    found: typer.models.OptionInfo = typer.Option(f"--{name}", metavar=metavar, help=THRESHOLDS[name])
    return found


def compare(
    context: typer.Context,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[BASE NEW]", help="The model that is there and the one to replace it."),
    ] = None,
    base_ref: Annotated[
        str | None,
        typer.Option("--base-ref", metavar="REF", help="Compare with the same files at this git revision."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="FILE", help="With --base-ref, a model of the working tree; repeatable."),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Also run both models on the same shifted images and compare the answers.")
    ] = False,
    minimum: Annotated[str | None, _threshold("min", "NUMBER")] = None,
    max_absolute_drop: Annotated[str | None, _threshold("max-absolute-drop", "NUMBER")] = None,
    max_relative_drop: Annotated[str | None, _threshold("max-relative-drop", "SHARE")] = None,
    max_jitter_rise: Annotated[str | None, _threshold("max-jitter-rise", "SHARE")] = None,
    largest_change: Annotated[str | None, _threshold("largest-change", "NUMBER")] = None,
    confidence: Annotated[str | None, _threshold("confidence", "SHARE")] = None,
    min_images: Annotated[str | None, _threshold("min-images", "N")] = None,
    inconclusive: Annotated[str | None, _threshold("inconclusive", "fail|warn|pass")] = None,
    require_verify: Annotated[bool, typer.Option("--require-verify", help=THRESHOLDS["require-verify"])] = False,
    images: measuring_options.Images = None,
    labels: measuring_options.Labels = None,
    images_limit: Annotated[
        str | None,
        typer.Option(
            "--images-limit",
            metavar="N",
            help=f"Use at most N images, evenly spaced over the set. [default: {COMPARED_IMAGES}]",
        ),
    ] = None,
    preset: measuring_options.Preset = None,
    image_input: measuring_options.ImageInput = None,
    device: measuring_options.Device = None,
    select: options.Select = None,
    ignore: options.Ignore = None,
    extend_select: options.ExtendSelect = None,
    rules: options.RuleFolders = None,
    allow_rule_dirs: options.AllowRuleDirs = False,
    fail_on: options.FailOn = None,
    exit_zero: options.ExitZero = False,
    min_severity: options.MinSeverity = None,
    output_format: options.OutputFormat = None,
    output: options.OutputFile = None,
    report: options.Reports = None,
    markdown_limit: options.MarkdownLimit = None,
    input_shape: options.InputShape = None,
    baseline: options.Baseline = None,
    no_waivers: options.NoWaivers = False,
    show_waived: options.ShowWaived = False,
    today: options.Today = None,
    strict: options.Strict = False,
    config: options.Config = None,
    isolated: options.Isolated = False,
    color: options.Color = "auto",
    no_progress: options.NoProgress = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Compare a model with the one that it is to replace: what got worse stops a merge.

    Findings are those that the base does not have, or not as heavy, at the same place of the network; a place is
    recognised after retraining, renaming and another export. With --verify both models run on the same images and
    shifts, and the paired difference passes, fails, or is undecided and says how many images would decide. Undecided is
    no failure unless --inconclusive fail requires a verdict.

    Exit codes: 0 no worse, 1 findings at or above --fail-on, 2 usage, settings or internal error, 3 the comparison is
    incomplete (a model could not be had or read, a required measurement was not made), 130 interrupted.
    """
    from auditor.acceptance import settle
    from auditor.audit import load_rules
    from auditor.cli.auditing import Show, conclude, fit_input_shapes, read_baseline
    from auditor.cli.measuring import measure_with
    from auditor.cli.output import refuse_overwriting
    from auditor.cli.reports import markdown_bytes, refuse_models, report_files
    from auditor.comparison.run import compare_all
    from auditor.rule import Need

    settings = options.settings_from(
        config,
        isolated,
        allow_rule_dirs,
        {
            "select": options.words(select),
            "ignore": options.words(ignore),
            "extend-select": options.words(extend_select),
            "rule-dirs": list(rules) if rules else None,
            "fail-on": fail_on,
            "min-severity": min_severity,
            "output-format": output_format,
            "input-shapes": options.shapes(input_shape),
            **options.policy(baseline, no_waivers, strict),
            "compare": options.given(
                {
                    "min": minimum,
                    "max-absolute-drop": max_absolute_drop,
                    "max-relative-drop": max_relative_drop,
                    "max-jitter-rise": max_jitter_rise,
                    "largest-change": largest_change,
                    "confidence": confidence,
                    "min-images": min_images,
                    "inconclusive": inconclusive,
                    "require-verify": require_verify or None,
                }
            ),
            "verify": options.given(
                {
                    "images": images,
                    "labels": labels,
                    "images-limit": images_limit,
                    "preset": preset,
                    "image-input": image_input,
                    "device": device,
                }
            ),
        },
        today,
    )
    show = Show(
        color=color,
        output=Path(output) if output else None,
        exit_zero=exit_zero,
        progress=not no_progress,
        quiet=quiet,
        verbose=verbose,
        debug=context.ensure_object(Session).debug,
        reports=report_files(report),
        markdown_bytes=markdown_bytes(markdown_limit),
        accepted=show_waived,
    )
    with _changes(files or [], base_ref, model or [], settings, weights=verify) as (changes, problems):
        models = [file.path for change in changes for file in (change.base, change.new)]
        if show.output is not None:
            refuse_overwriting(show.output, models)
        refuse_models(show.reports, models)
        running, known = load_rules(settings), read_baseline(settings)
        fit_input_shapes([file for change in changes for file in (change.base, change.new)], settings, quiet)
        measure = measure_with(settings, show, images=COMPARED_IMAGES) if verify else None
        outcomes = settle(
            list(compare_all(changes, running, settings, measure, reraise=show.debug)),
            running,
            settings,
            known,
            show.debug,
        )
        given = {Need.POLICY, Need.COMPARISON, *([Need.MEASUREMENT] if verify else [])}
        code = conclude(outcomes, problems, running, running.ready(given), settings, show)
    raise typer.Exit(code)


@contextmanager
def _changes(
    files: list[str], base_ref: str | None, models: list[str], settings: Settings, weights: bool
) -> Iterator[tuple[list[Change], list[Problem]]]:
    """The pairs of models to compare, and those that could not be had. Files from git are gone when it ends."""
    from tempfile import TemporaryDirectory

    from auditor.audit import ModelFile
    from auditor.cli.inputs import shown
    from auditor.comparison.run import Change
    from auditor.report.model import Problem, ProblemKind

    if base_ref is None:
        if len(files) != 2 or models:
            raise UsageError("give the base and the new model, or --base-ref REF with --model FILE")
        base, new = (ModelFile(Path(name), shown(Path(name))) for name in files)
        yield [Change(base, new)], []
        return
    if files or not models:
        raise UsageError("--base-ref takes the models from the working tree: name each with --model FILE")
    from auditor.comparison.revision import Revision, RevisionError

    changes: list[Change] = []
    problems: list[Problem] = []
    with TemporaryDirectory(prefix="aliasaudit-") as folder:
        for number, name in enumerate(dict.fromkeys(models)):
            path = Path(name)
            try:
                revision = Revision(base_ref, path.parent if path.parent.is_dir() else Path.cwd())
                spare = Path(folder, str(number))
                spare.mkdir()
                copy = revision.copy(path, spare, settings.limits, weights)
            except RevisionError as error:
                problems.append(Problem(ProblemKind.NOT_FOUND, str(error), shown(path), "base-not-found"))
            else:
                base = ModelFile(copy, f"{base_ref}:{shown(path)}")
                changes.append(Change(base, ModelFile(path, shown(path))))
        yield changes, problems
