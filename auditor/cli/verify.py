"""``aliasaudit verify``: run models on shifted images and measure how much their answers depend on position."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from auditor.cli.flags import flags
from auditor.cli.options import Models, settings_from
from auditor.options.figures import Figures
from auditor.options.flatten import Only
from auditor.options.general import Output, Policy, Selection, Sources
from auditor.options.measuring import Measuring
from auditor.options.sharding import Sharding
from auditor.options.thresholds import OF_ONE_MODEL, Thresholds

MEASURED_RULES = ("AA4", "runtime-crashed")


@flags
def verify(
    context: typer.Context,  # noqa: ARG001 - says whether to show tracebacks
    models: Models,
    measuring: Measuring,
    sharding: Sharding,
    figures: Figures,
    thresholds: Annotated[Thresholds, Only(*OF_ONE_MODEL)],
    selection: Annotated[Selection, Only("select", "ignore")],
    policy: Annotated[Policy, Only("fail_on")],
    output: Annotated[Output, Only(without=("statistics", "show_waived"))],
    sources: Annotated[Sources, Only("config", "isolated")],
) -> None:
    """Run models on shifted images and measure how much their answers depend on position.

    Models run in a process of their own, with limits: ONNX in onnxruntime or in OpenVINO (--runtime), OpenVINO IR and
    TensorFlow Lite files in their runtimes. Every number comes with its interval, the images,
    the shifts, the preprocessing and the device that it was measured with. Only the rules on what was measured run
    unless --select names others; `check --verify` runs all of them. With --shard a part of the images is measured, and
    `merge` makes the report of all parts: for machines of a CI matrix that do not know of each other. With --fail-under
    images come in a random order, and the run ends as soon as it is certain whether the model holds that value.

    Exit codes: 0 clean, 1 findings at or above --fail-on, 2 usage, settings or internal error, 3 the measurement was
    not made (no usable image, the device is not there, the model crashed), 130 interrupted.
    """
    from auditor.cli.auditing import run
    from auditor.cli.inputs import gathered
    from auditor.cli.measuring import Plots, measure_with
    from auditor.cli.sharding import write_shards
    from auditor.policy.settings import DEFAULT, Selector
    from auditor.policy.verdict import ExitCode

    settings = settings_from(sources, selection, policy, output, measuring, thresholds)
    if settings.select is None:
        settings = replace(settings, select=tuple(Selector(text, DEFAULT) for text in MEASURED_RULES))
    with gathered(models, settings.limits.max_file_bytes) as (files, problems):
        # Formats without a static audit can be measured all the same.
        files = [replace(file, only_run=True) for file in files]
        if sharding.shard is not None:
            raise typer.Exit(write_shards(files, problems, settings, output, sharding.shard))
        drawn = None if figures.plots is None else Plots(figures.plots, figures.plots_format)
        code = run(files, problems, settings, output, measure_with(settings, output, drawn), only_measured=True)
    raise typer.Exit(ExitCode.ERROR if drawn is not None and drawn.failed else code)
