"""What is measured on shifted inputs, one file per task: arrays in, numbers out.

:data:`MEASURES` is the table of names that results, reports, rules and comparisons use, and :data:`TASKS` who measures
what. How a task is added says :mod:`auditor.verify.measures.task`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from auditor.verify.measures.classification import Classification
from auditor.verify.measures.dense import Dense
from auditor.verify.measures.detection import Detection
from auditor.verify.measures.embedding import Embedding
from auditor.verify.measures.facts import Gate, MeasureFacts
from auditor.verify.measures.keypoints import Joints
from auditor.verify.measures.reference import AGREEMENT
from auditor.verify.measures.regression import Regression
from auditor.verify.measures.task import TaskMeasures
from auditor.verify.measures.text import TextLines
from auditor.verify.measures.variance import VARIANCES
from auditor.verify.result import Measure, Task

TASKS: Mapping[Task, type[TaskMeasures[Any, Any]]] = MappingProxyType(
    {
        Task.CLASSIFICATION: Classification,
        Task.DENSE: Dense,
        Task.EMBEDDING: Embedding,
        Task.DETECTION: Detection,
        Task.KEYPOINTS: Joints,
        Task.TEXT: TextLines,
        Task.REGRESSION: Regression,
    }
)

MEASURES: Mapping[str, MeasureFacts] = MappingProxyType(
    {
        facts.name: facts
        for table in (
            Classification.MEASURES,
            VARIANCES,
            AGREEMENT,
            *(task.MEASURES for kind, task in TASKS.items() if kind is not Task.CLASSIFICATION),
        )
        for facts in table
    }
)


def facts_of(measure: Measure) -> MeasureFacts:
    """The facts of a measure; those of its unit where a report of another version brings one that is not declared."""
    declared = MEASURES.get(measure.name)
    if declared is not None and declared.unit == measure.unit:
        return declared
    limits = (-1.0, 1.0) if measure.unit == "ratio" else None
    return MeasureFacts(measure.name, measure.unit, measure.higher_is_better, "", limits=limits)


def gated(task: Task, gate: Gate) -> tuple[str, ...]:
    """The measures of a task with this gate; the first of them that was measured is the one that is judged."""
    return tuple(facts.name for facts in TASKS[task].MEASURES if facts.gate is gate)


def leading(task: Task) -> tuple[str, ...]:
    """The measures of a task that tell whether a rewrite gained."""
    return tuple(facts.name for facts in TASKS[task].MEASURES if facts.leading)
