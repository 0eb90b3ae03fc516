"""The repair of ``aliasaudit fix`` as a pass of Microsoft Olive, so that a workflow repairs what it then optimises.

    from auditor.plugins.olive import package_config
    from olive.workflows import run

    passes = {"anti_aliasing": {"type": "AntiAliasing", "strategy": "blur"}}
    run({..., "passes": passes}, package_config=package_config())

Olive finds a pass of another package by its package configuration (``olive run --package-config``, written against
Olive 0.13). It passes models on as files, and so does this: weights of an ONNX model are copied, never decoded.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from olive.model import ONNXModelHandler
from olive.model.utils import resolve_onnx_path
from olive.package_config import OlivePackageConfig
from olive.passes import Pass
from olive.passes.pass_config import PassConfigParam

from auditor.onnxfile import read_model
from auditor.repair.loading import require_loads
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import Kernel, Lowering, Options, Padding, Phases, RewriteError, Step, Strategy, Where
from auditor.sampling import analyse

_MODULE = "auditor.plugins.olive.AntiAliasing"


class AntiAliasing(Pass):
    """Rewrites an ONNX model by one strategy of ``aliasaudit fix``.

    ``strategy`` has to be chosen, because every rewrite changes what the network computes. A model in which the
    strategy has nothing to do is passed on as it is.
    """

    @classmethod
    def _default_config(cls, accelerator_spec: Any) -> dict[str, PassConfigParam]:  # noqa: ARG003 - as Olive calls it
        default = Options()
        return {
            "strategy": PassConfigParam(type_=Strategy, required=True, description="The rewrite, as in `fix`."),
            "sites": PassConfigParam(
                type_=list[str], default_value=[], description="Nodes to rewrite; without any the strategy chooses."
            ),
            "kernel": PassConfigParam(
                type_=Kernel, default_value=default.kernel, description="The low-pass of a blur."
            ),
            "padding": PassConfigParam(
                type_=Padding, default_value=default.padding, description="How a blur continues the map at its border."
            ),
            "where": PassConfigParam(
                type_=Where, default_value=default.where, description="Whether a blur stands behind or in front."
            ),
            "blend": PassConfigParam(
                type_=float, default_value=default.blend, description="The share of the low-pass, above 0 up to 1."
            ),
            "lowering": PassConfigParam(
                type_=Lowering, default_value=default.lowering, description="Where the phases that are averaged stand."
            ),
            "margin": PassConfigParam(
                type_=int,
                default_value=default.margin,
                description="How far crop-select moves the window, in pixels; None: by the model.",
            ),
            "phases": PassConfigParam(
                type_=Phases, default_value=default.phases, description="The phases that are averaged."
            ),
        }

    def _run_for_config(self, model: ONNXModelHandler, config: Any, output_model_path: str) -> ONNXModelHandler:
        source = read_model(Path(model.model_path))
        target = Path(resolve_onnx_path(output_model_path))
        admit = partial(require_loads, source)
        step = Step(Strategy(config.strategy), _options(config), tuple(config.sites))
        done = rewrite(source, analyse(source), step, target, admit=admit)
        if done.path is None:
            if done.skipped:
                reasons = sorted({skipped.refusal.reason for skipped in done.skipped})
                raise RewriteError(f"nothing could be rewritten: {'; '.join(reasons)}")
            return model
        if any(entry != target for entry in target.parent.iterdir()):  # external weights lie beside the model
            return ONNXModelHandler(model_path=str(target.parent), onnx_file_name=target.name)
        return ONNXModelHandler(model_path=str(target))


def _options(config: Any) -> Options:
    if not 0 < config.blend <= 1:
        raise RewriteError(f"blend must lie above 0 and at most at 1, and is {config.blend:g}")
    if config.margin is not None and config.margin < 1:
        raise RewriteError(f"margin must be at least 1, and is {config.margin}")
    return Options(
        kernel=Kernel(config.kernel),
        where=Where(config.where),
        padding=Padding(config.padding),
        blend=config.blend,
        phases=Phases(config.phases),
        lowering=Lowering(config.lowering),
        margin=config.margin,
    )


def package_config() -> dict[str, Any]:
    """The package configuration of the installed Olive with this pass in it; ``json.dumps`` makes a file of it."""
    config: dict[str, Any] = json.loads(Path(OlivePackageConfig.get_default_config_path()).read_text(encoding="utf-8"))
    config["passes"][AntiAliasing.__name__] = {
        "module_path": _MODULE,
        "supported_providers": ["*"],
        "supported_accelerators": ["*"],
        "supported_precisions": ["*"],
    }
    return config
