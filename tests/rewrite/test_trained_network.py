"""The built-in trained network on digits that it did not see: what rewrites gain and cost, as the reports say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from sklearn.datasets import load_digits

from auditor.demo import demo_model
from auditor.demo.digits import LAST_POSITION, draw
from auditor.onnxfile import read_model
from auditor.rewrite.calibration.calibrate import Pictures
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import Step, Strategy
from auditor.sampling import analyse
from tests.rewrite.networks import Array, session

SHOWN, PLACES, FITTED = 150, 5, 60


class Digits:
    """Digits at random places: some to calibrate on, others to measure."""

    def __init__(self) -> None:
        digits = load_digits()
        order = np.random.default_rng(0).permutation(len(digits.images))
        self.images = digits.images.astype(np.uint8)
        self.labels = digits.target[order[:SHOWN]]
        self.shown, self.fitted = order[:SHOWN], order[SHOWN : SHOWN + FITTED]

    def features(
        self,
        original: Path,
        wanted: Sequence[str],
        rewritten: Path,
        given: Sequence[str],
        what: str,  # noqa: ARG002 - nobody watches
    ) -> Iterator[tuple[list[Array], list[Array]]]:
        sessions = []
        for path, tensors in ((rewritten, given), (original, wanted)):
            model = onnx.load(path)
            for tensor in {*tensors} - {value.name for value in model.graph.output}:
                model.graph.output.append(onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None))
            sessions.append((session(model), list(tensors)))
        for picture in placed(self.images[self.fitted], 1):
            first, second = ([np.asarray(x) for x in s.run(names, {"image": picture[None]})] for s, names in sessions)
            yield first, second

    def measure(self, model: Path) -> tuple[float, float, float]:
        """Accuracy, consistency of all pairs of places, and the mean change of the first place's class."""
        running = session(model)
        scores = []
        for place in range(PLACES):
            (logits,) = running.run(None, {"image": placed(self.images[self.shown], 10 + place)})
            raised = np.exp(logits - logits.max(1, keepdims=True))
            scores.append(raised / raised.sum(1, keepdims=True))
        shares = np.array(scores)
        top = shares.argmax(2)
        pairs = [(a, b) for a in range(PLACES) for b in range(a)]
        rows = np.arange(SHOWN)
        change = np.abs(shares[1:, rows, top[0]] - shares[0, rows, top[0]]).mean()
        return float((top == self.labels).mean()), float(np.mean([top[a] == top[b] for a, b in pairs])), float(change)


def placed(images: Array, seed: int) -> Array:
    random = np.random.default_rng(seed)
    return draw(images, *random.integers(0, LAST_POSITION + 1, (2, len(images))))


@pytest.fixture(scope="module")
def digits() -> Digits:
    return Digits()


@pytest.fixture(scope="module")
def untouched(digits: Digits) -> tuple[float, float, float]:
    return digits.measure(demo_model())


def fixed(folder: Path, strategy: Strategy, pictures: Pictures | None = None) -> Path:
    model = read_model(demo_model())
    target = folder / "fixed.onnx"
    rewrite(model, analyse(model), Step(strategy, calibrated=True), target, pictures=pictures)
    return target


@pytest.mark.parametrize("strategy", [Strategy.PHASE_AVERAGE, Strategy.INPUT_AVERAGE])
def test_averaging_steadies_a_trained_network_without_costing_accuracy(
    strategy: Strategy, digits: Digits, untouched: tuple[float, float, float], tmp_path: Path
) -> None:
    accuracy, consistency, change = digits.measure(fixed(tmp_path, strategy))
    assert accuracy >= untouched[0] - 0.005
    assert consistency > untouched[1]
    assert change < 0.95 * untouched[2]


def test_a_bare_blur_harms_a_trained_network_as_the_report_says(
    digits: Digits, untouched: tuple[float, float, float], tmp_path: Path
) -> None:
    accuracy, consistency, _ = digits.measure(fixed(tmp_path, Strategy.BLUR))
    assert accuracy < untouched[0] - 0.1
    assert consistency < untouched[1]


def test_calibration_on_other_digits_makes_the_blur_worth_having(
    digits: Digits, untouched: tuple[float, float, float], tmp_path: Path
) -> None:
    accuracy, consistency, change = digits.measure(fixed(tmp_path, Strategy.BLUR, digits))
    assert accuracy >= untouched[0]
    assert consistency > untouched[1] + 0.02
    assert change < 0.6 * untouched[2]


@pytest.mark.parametrize("strategy", [Strategy.PHASE_AVERAGE, Strategy.INPUT_AVERAGE])
def test_pictures_of_one_batch_do_not_mix_their_phases(strategy: Strategy, digits: Digits, tmp_path: Path) -> None:
    running = session(fixed(tmp_path, strategy))
    pictures = placed(digits.images[:4], 3)
    (together,) = running.run(None, {"image": pictures})
    alone = [running.run(None, {"image": picture[None]})[0][0] for picture in pictures]
    assert np.allclose(together, alone, atol=1e-4)
