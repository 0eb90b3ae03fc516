"""Groups of options as the keywords of a Python function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from auditor.options.flatten import flattened
from auditor.options.option import Group, Option

Result = TypeVar("Result")


def keywords(function: Callable[..., Result]) -> Callable[..., Result]:
    """The function with the options of its groups as keywords, read as a command reads them.

    Raises:
        ValueError: when it is called with a value that an option does not take.
    """
    return flattened(function, _parameter, _group)


def _parameter(declared: Option, _: str | None) -> inspect.Parameter:
    return inspect.Parameter(declared.name, inspect.Parameter.KEYWORD_ONLY, default=declared.default)


def _group(group: type[Group], taken: Mapping[str, Option], values: Mapping[str, Any]) -> Group:
    return group.from_keywords({name: values[name] for name in taken if name in values})
