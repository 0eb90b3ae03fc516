"""The examples in the docstrings of the public functions run, and every public function has one."""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Callable
from typing import Any

import pytest

import auditor
from auditor import pipeline

PUBLIC: dict[str, Callable[..., Any]] = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (auditor, pipeline)
    for name in module.__all__
    if callable(getattr(module, name)) and not isinstance(getattr(module, name), type)
}


def test_the_public_functions_are_those_that_users_call() -> None:
    assert {"auditor.check", "auditor.compare", "auditor.fix", "auditor.measure", "auditor.plain"} <= set(PUBLIC)
    assert {"auditor.pipeline.resize", "auditor.pipeline.prepare"} <= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_the_examples_of_a_public_function_run(name: str) -> None:
    function = inspect.unwrap(PUBLIC[name])  # some keep their answer in a cache
    names: dict[str, Any] = dict(getattr(function, "__globals__", {}))
    tests = doctest.DocTestFinder(recurse=False).find(function, name, globs=names)
    assert sum(len(test.examples) for test in tests) >= 1
    printed: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in tests:
        runner.run(test, out=printed.append)
    assert "".join(printed) == ""


@pytest.mark.parametrize("name", [name for name in PUBLIC if name.startswith("auditor.") and name.count(".") == 1])
def test_a_public_function_says_what_it_takes_and_what_it_raises(name: str) -> None:
    text = PUBLIC[name].__doc__ or ""
    first = text.splitlines()[0]
    assert first.endswith(".")
    if name != "auditor.plain":  # takes any text and refuses none
        assert "\n    Args:\n" in text
        assert "\n    Raises:\n" in text
