"""Whatever a model returns, it is read or refused in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.pipeline.decoding import LayoutError, decode, layouts

Array = npt.NDArray[Any]


NAMES = (
    *("output", "boxes", "scores", "labels", "dets", "logits", "pred_boxes", "hm", "wh", "reg", "loc", "conf", "semi"),
    *("simcc_x", "simcc_y", "num_dets", "det_boxes", "det_scores", "det_classes", "heatmaps", "short_offsets"),
    *("detection_boxes", "detection_classes", "detection_scores", "keypoints", "confs", "bboxes"),
)


@st.composite
def any_outputs(draw: st.DrawFn) -> dict[str, Array]:
    side = st.sampled_from([0, 1, 2, 3, 4, 6, 7, 16, 21, 56, 84, 252, 300])
    kind = st.sampled_from([np.float32, np.float16, np.float64, np.int64, np.int32, np.uint8, np.bool_])
    outputs: dict[str, Array] = {}
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)):
        shape = tuple(draw(st.lists(side, max_size=4)))
        if np.prod(shape, dtype=np.int64) > 100_000:
            shape = shape[:2]
        level = draw(st.sampled_from([0.0, 0.5, 1.0, 40.0, -1.0, np.nan, np.inf]))
        with np.errstate(invalid="ignore"):
            outputs[name] = np.full(shape, level).astype(draw(kind))
    return outputs


@settings(max_examples=150, deadline=None)
@given(
    outputs=any_outputs(),
    layout=st.sampled_from(["auto", *sorted(layouts())]),
    metadata=st.sampled_from([{}, {"task": "detect"}, {"task": "pose", "kpt_shape": "x"}, {"task": "segment"}]),
)
def test_outputs_of_any_kind_are_read_or_refused_in_one_line(
    outputs: dict[str, Array], layout: str, metadata: dict[str, str]
) -> None:
    told: dict[str, Any] = {"alphabet": "ab", "anchors": [[(8, 8)] * 3] * 3}
    refusal = None
    try:
        with np.errstate(all="ignore"):
            decode(outputs, layout, input_size=(64, 64), metadata=metadata, **told)
    except LayoutError as error:
        refusal = str(error)
    assert refusal is None or "\n" not in refusal


def test_outputs_that_are_no_numbers_or_none_at_all_are_refused() -> None:
    with pytest.raises(LayoutError, match="the output label has <U3 values"):
        decode({"label": np.array([["cat"]])}, input_size=(64, 64))
    with pytest.raises(LayoutError, match="no output"):
        decode({}, input_size=(64, 64))
