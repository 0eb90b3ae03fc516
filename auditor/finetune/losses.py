"""How far the student's answers are from the targets, one number per kind of answer.

* classifiers: the Kullback-Leibler divergence of the student from the original's mean probabilities, in nats (Hinton et
  al., "Distilling the knowledge in a neural network", 2015, at temperature 1);
* embeddings: one minus the cosine of the angle to the original's mean direction;
* dense outputs: the mean squared difference as a share of the variance of the targets.
"""

from __future__ import annotations

from typing import Any

from auditor.finetune.lessons import AnswerKind

MEASURES = {
    AnswerKind.PROBABILITIES: "Kullback-Leibler divergence from the original's shift-averaged answer (nats)",
    AnswerKind.LOGITS: "Kullback-Leibler divergence from the original's shift-averaged answer (nats)",
    AnswerKind.EMBEDDING: "one minus the cosine to the original's shift-averaged answer",
    AnswerKind.DENSE: "share of the variance of the original's answer that is missed",
}

_SMALLEST = 1e-12  # of a probability: its logarithm stays finite in single precision


def loss(answer: AnswerKind, given: Any, target: Any, spread: float) -> Any:
    """The mean over windows of the distance of ``given`` (window, ...) from ``target``, a tensor of no axes.

    ``target`` is (window, class) of probabilities, (window, feature) of directions, or dense and shaped like ``given``.
    """
    import torch.nn.functional as functional

    if answer is AnswerKind.DENSE:
        return functional.mse_loss(given, target) / spread
    flat = given.flatten(1)
    if answer is AnswerKind.EMBEDDING:
        return (1 - functional.cosine_similarity(flat, target)).mean()
    logarithms = flat.clamp_min(_SMALLEST).log() if answer is AnswerKind.PROBABILITIES else flat.log_softmax(1)
    return functional.kl_div(logarithms, target, reduction="batchmean")
