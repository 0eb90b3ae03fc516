"""The report as JUnit XML, for Jenkins, GitLab and Azure: a suite per model, a test per rule that ran.

A test fails exactly where a finding fails the run, so that a red test and exit code 1 mean the same. Lighter findings
are the output of a test that passes, accepted ones make it skipped, and a part of the audit that was not made is an
error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as Xml

from auditor.facts.finding import Finding
from auditor.facts.report import Accepted, ModelReport, Problem, Report, RuleInfo
from auditor.report import RenderOptions
from auditor.report.words.place import node_name, node_op, origin_text
from auditor.report.words.sheet import ACCEPTED_WORDS
from auditor.text import count_text, plain

_AUDIT = "audit"


def render(report: Report, options: RenderOptions) -> str:
    """The report as one XML document. Findings from ``options.fail_on`` up are failures."""
    root = Xml.Element("testsuites", name="aliasaudit")
    audited = {model.path for model in report.models}
    for model in report.models:
        own = [problem for problem in report.problems if problem.path == model.path]
        root.append(_suite(model.path, [*_tests(report.rules, model, options), *_errors(own)]))
    others = sorted({problem.path for problem in report.problems if problem.path not in audited})
    for path in others:
        root.append(_suite(path, _errors(problem for problem in report.problems if problem.path == path)))
    _count(root, [test for suite in root for test in suite])
    Xml.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _suite(path: str, tests: Sequence[Xml.Element]) -> Xml.Element:
    name = plain(path) if path else "aliasaudit"
    suite = Xml.Element("testsuite", name=name)
    for test in tests:
        test.set("classname", name)
        suite.append(test)
    _count(suite, tests)
    return suite


def _count(element: Xml.Element, tests: Sequence[Xml.Element]) -> None:
    """Tests by what became of them; a test with several failures is one failed test."""
    element.set("tests", str(len(tests)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(sum(test.find(tag) is not None for test in tests)))


def _tests(rules: Sequence[RuleInfo], model: ModelReport, options: RenderOptions) -> Iterable[Xml.Element]:
    titles = {rule.code: rule.name for rule in rules}
    everything = (*model.findings, *(one.finding for one in model.accepted))
    titles |= {finding.rule: finding.name for finding in everything if finding.rule not in titles}
    for code in sorted(titles):
        findings = [finding for finding in model.findings if finding.rule == code]
        accepted = [one for one in model.accepted if one.finding.rule == code]
        yield _test(f"{plain(code)} {plain(titles[code])}", findings, accepted, options)


def _test(title: str, findings: Sequence[Finding], accepted: Sequence[Accepted], options: RenderOptions) -> Xml.Element:
    test = Xml.Element("testcase", name=title)
    level = options.fail_on
    failing: list[Finding] = []
    lighter: list[Finding] = []
    for finding in findings:
        (failing if level is not None and finding.severity.rank >= level.rank else lighter).append(finding)
    for finding in failing:
        failure = Xml.SubElement(test, "failure", type=finding.severity.value, message=_sentence(finding))
        failure.text = _details(finding)
    if accepted and not findings:
        reasons = "; ".join(plain(one.reason) if one.reason else ACCEPTED_WORDS[one.by] for one in accepted)
        Xml.SubElement(test, "skipped", message=f"{count_text(len(accepted), 'accepted finding')}: {reasons}")
    if lighter:
        lines = [f"{finding.severity.value}: {_sentence(finding)}\n{_details(finding)}" for finding in lighter]
        Xml.SubElement(test, "system-out").text = "\n".join(lines)
    return test


def _sentence(finding: Finding) -> str:
    where = f"{node_name(finding.node)} ({node_op(finding.node)}): " if finding.node is not None else ""
    return where + plain(finding.message, None)


def _details(finding: Finding) -> str:
    """Lines of labelled facts: none begins with text of a model, in case a runner prints them."""
    origin = origin_text(finding.node.origin) if finding.node is not None else ""
    facts = [("module", origin), ("advice", plain(finding.advice, None)), ("fingerprint", plain(finding.fingerprint))]
    return "\n".join(f"{label}: {text}" for label, text in facts if text)


def _errors(problems: Iterable[Problem]) -> Sequence[Xml.Element]:
    """One test for all that is missing."""
    problems = list(problems)
    if not problems:
        return []
    test = Xml.Element("testcase", name=_AUDIT)
    for problem in problems:
        Xml.SubElement(test, "error", type=plain(problem.code), message=plain(problem.message, None))
    return [test]
