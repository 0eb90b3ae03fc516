"""The report formats, by the name of the ``--output-format`` option."""

from __future__ import annotations

from enum import Enum


class Format(str, Enum):
    """The report formats, by the name of the ``--output-format`` option."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    GITLAB = "gitlab"
    HTML = "html"
    NETRON = "netron"
    EXPLORER = "explorer"
    MODEL_CARD = "model-card"
