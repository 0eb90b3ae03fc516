from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from auditor.text import ModelText
from auditor.verify.errors import VerifyError
from auditor.verify.interval import Interval
from auditor.verify.layers.maps import EquivarianceMap, Spectrum
from auditor.verify.layers.result import LayerResult
from auditor.verify.plots import map_figure, spectrum_figure, track_figure, worst_images, write_plots
from auditor.verify.result import (
    Curve,
    CurvePoint,
    DataFacts,
    DataKind,
    ImageResult,
    OutputResult,
    ProtocolKind,
    Provider,
    Shifts,
    Task,
    Track,
    Verification,
)

HOSTILE = ModelText("$\\frac{a$ \x1b[31m<script>\n^_{")


def layer(index: int) -> LayerResult:
    cosine = tuple(tuple(float(value) for value in row) for row in np.linspace(0.5, 1, 16).reshape(4, 4))
    before = Spectrum((0.1, 0.2, 0.4, 0.6), (9.0, 3.0, 1.0, 0.0))
    return LayerResult(
        tensor=HOSTILE,
        node=None,
        site=index,
        cumulative=(4.0, None),
        cosine=0.8,
        error=0.3,
        added=0.1,
        map=EquivarianceMap((0, 1, 2, 3), (0, 1, 2, 3), cosine, cosine),
        alias_measured=0.12,
        alias_predicted=0.2,
        before=before if index != 1 else None,
        after=Spectrum((0.2, 0.6), (5.0, 2.0)) if index == 0 else None,
        factor=(2.0, 2.0) if index == 0 else None,
    )


def image(name: str, path: tuple[float, ...]) -> ImageResult:
    return ImageResult(ModelText(name), None, 1, path[0] if path else None, 0.1, path, None, None)


def verification(empty: bool = False) -> Verification:
    points = (CurvePoint(1, 0.95, Interval(0.93, 0.97), 40), CurvePoint(4, 0.9, None, 40))
    output = OutputResult(
        output=HOSTILE,
        task=Task.CLASSIFICATION,
        measures=(),
        curves=() if empty else (Curve("consistency", points), Curve("mac", points), Curve("cosine", points[1:])),
        images=() if empty else (image("_$x^", (0.9, 0.2, 0.8)), image("b", (0.5, 0.5)), image("c", ())),
        predictions=(),
    )
    return Verification(
        provider=Provider("cpu", "CPU", (), (), "1", 1),
        data=DataFacts(DataKind.BUILTIN, (), (), 0, ""),
        shifts=Shifts(ProtocolKind.CROP, (256, 256), (224, 224), 32, 8, 9, False, 0),
        outputs=(output,),
        layers=() if empty else (layer(0), layer(1), layer(2)),
        self_test=None,
        incomplete="",
        preprocessing="",
        shared_batch=1,
        runs=1,
        naive_runs=1,
        seconds=1.0,
    )


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_every_figure_is_written_whole_whatever_the_model_calls_its_tensors(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("matplotlib")
    paths = write_plots(verification(), tmp_path / "new" / "plots", kind)
    assert [path.name for path in paths] == [f"{name}.{kind}" for name in ("distance", "maps", "paths", "spectra")]
    assert sorted(paths) == sorted((tmp_path / "new" / "plots").iterdir()), "no temporary files are left"
    for path in paths:
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG" if kind == "png" else b"<?xml")
        assert b"<script>" not in content
        assert b"\x1b" not in content or kind == "png"


def test_the_new_nyquist_frequency_is_marked_on_the_grid_before_the_site() -> None:
    pytest.importorskip("matplotlib")
    axes = spectrum_figure([layer(0)]).axes[0]
    marked = {str(line.get_label()): np.asarray(line.get_xdata()).tolist() for line in axes.get_lines()}
    assert marked["new Nyquist"] == [0.25, 0.25]
    assert marked["before"] == [0.1, 0.2, 0.4, 0.6]
    assert marked["after"] == [0.1, 0.3]


def test_a_layer_that_could_not_be_compared_is_drawn_empty() -> None:
    pytest.importorskip("matplotlib")
    nothing = EquivarianceMap((0, 1), (0, 1), ((float("nan"),) * 2,) * 2, ((float("nan"),) * 2,) * 2)
    figure = map_figure([replace(layer(0), map=nothing)])
    figure.canvas.draw()
    shown = figure.axes[0].get_images()[0].get_array()
    assert shown is not None
    assert np.ma.count(np.ma.masked_invalid(shown)) == 0


def test_equal_results_give_equal_svg_files(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    first, second = (write_plots(verification(), tmp_path / name, "svg") for name in ("a", "b"))
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_nothing_measured_is_nothing_drawn(tmp_path: Path) -> None:
    assert write_plots(verification(empty=True), tmp_path) == ()


def test_the_images_with_the_most_jagged_scores_are_shown_first() -> None:
    images = [image("calm", (0.5, 0.5)), image("wild", (0.9, 0.1)), image("mild", (0.6, 0.5))]
    assert [one.name.raw for one in worst_images(images, 2)] == ["wild", "mild"]


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(VerifyError, match=r"aliasaudit\[plots\]"):
        write_plots(verification(), tmp_path)


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(VerifyError, match="cannot be written"):
        write_plots(verification(), tmp_path / "taken")
    with pytest.raises(ValueError, match="png or svg"):
        write_plots(verification(), tmp_path, "pdf")


def test_what_was_followed_along_the_path_is_drawn_with_the_grid_marked(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    track = Track("box 1, class 0: score", "probability", (0.9, 0.8, 0.9, 0.7, 0.9), 2, 0.75)
    moved = replace(image("$x^", ()), tracks=(track,))
    found = verification(empty=True)
    found = replace(found, outputs=(replace(found.outputs[0], images=(image("still", ()), moved)),))
    assert [path.name for path in write_plots(found, tmp_path)] == ["tracks.png"]
    axes = track_figure([moved]).axes[0]
    assert [np.asarray(line.get_xdata()).tolist() for line in axes.get_lines()[1:]] == [[2, 2], [4, 4]]
    assert "75% repeats every 2 px" in axes.get_title()
