from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as Xml

import onnx
import pytest

from auditor.facts.formats import Format
from auditor.options.panels import VALUES
from auditor.report.formats.html import file_names
from tests.cli.conftest import write_network

Run = Callable[..., tuple[int, str, str]]


def test_one_run_writes_every_report_that_was_asked_for_and_shows_the_usual_one(run: Run) -> None:
    write_network(Path("net.onnx"))
    flags = [flag for one in Format for flag in ("--report", f"{one.value}=out.{one.value}")]
    code, out, err = run("check", "net.onnx", *flags)
    assert code == 0
    assert "1 model audited" in out
    assert all(f"aliasaudit: wrote out.{one.value}" in err for one in Format)
    assert json.loads(Path("out.sarif").read_text())["runs"][0]["results"]
    assert Xml.parse("out.junit").getroot().find("testsuite/testcase") is not None
    assert Path("out.text").read_text() == out


def test_the_reports_say_what_the_exit_code_says(run: Run) -> None:
    write_network(Path("net.onnx"))
    code, _, _ = run("check", "net.onnx", "--fail-on", "warning", "--report", "junit=strict.xml")
    assert code == 1
    assert Xml.parse("strict.xml").getroot().get("failures") != "0"
    code, _, _ = run("check", "net.onnx", "--fail-on", "never", "--report", "junit=never.xml")
    assert code == 0
    assert Xml.parse("never.xml").getroot().get("failures") == "0"


@pytest.mark.parametrize("one", list(Format))
def test_every_format_can_be_the_report_on_stdout(run: Run, one: Format) -> None:
    write_network(Path("net.onnx"))
    code, out, _ = run("check", "net.onnx", "--output-format", one.value)
    assert code == 0
    # A model card says how steady a model is, and lists no findings.
    assert ("Cumulative subsampling 2" if one is Format.MODEL_CARD else "strided-max-pool") in out


def test_the_help_names_every_format() -> None:
    assert set(VALUES["FORMAT"]) == {one.value for one in Format}


def test_code_scanning_gets_the_pages_of_all_rules_that_ran(run: Run) -> None:
    write_network(Path("net.onnx"))
    run("check", "net.onnx", "--select", "AA1", "--report", "sarif=out.sarif")
    rules = json.loads(Path("out.sarif").read_text())["runs"][0]["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules][:2] == ["AA101", "AA102"]
    assert all(rule["id"].startswith("AA1") and "## What it does" in rule["help"]["markdown"] for rule in rules)


def test_a_comment_can_be_kept_short(run: Run) -> None:
    for number in range(12):
        write_network(Path(f"net{number}.onnx"))
    run("check", ".", "--report", "markdown=short.md", "--markdown-limit", "2000")
    assert len(Path("short.md").read_bytes()) <= 2000
    assert "cut here" in Path("short.md").read_text()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--report", "sarif"], 'as in "sarif=aliasaudit.sarif"'),
        (["--report", "srif=x"], 'did you mean "sarif"?'),
        (["--report", "json=net.onnx/x.json"], "net.onnx is not a folder"),
        (["--report", "json=x", "--report", "sarif=x"], "two reports go to this file"),
        (["--report", "json=net.onnx"], "is one of the models"),
        (["--markdown-limit", "12"], "at least 1000"),
    ],
)
def test_a_report_that_cannot_be_written_is_refused_before_the_audit(run: Run, flags: list[str], words: str) -> None:
    write_network(Path("net.onnx"))
    before = Path("net.onnx").read_bytes()
    code, out, err = run("check", "net.onnx", *flags)
    assert (code, out) == (2, "")
    assert words in err
    assert Path("net.onnx").read_bytes() == before


def nameless(path: Path) -> None:
    network = onnx.load(write_network(path))
    for node in network.graph.node:
        node.name = ""
    onnx.save(network, path)


def test_nodes_that_a_viewer_cannot_find_are_counted_with_what_helps(run: Run) -> None:
    nameless(Path("net.onnx"))
    _, _, err = run("check", "net.onnx", "--exit-zero", "--report", "netron=net.json")
    assert "1 node of the report without a name of its own" in err
    assert "--name-nodes FILE" in err
    _, _, err = run("check", "net.onnx", "--exit-zero", "--report", "html=net.html")
    assert "--name-nodes" not in err


def test_the_audit_of_a_named_copy_is_found_by_name(run: Run) -> None:
    nameless(Path("net.onnx"))
    code, out, err = run(
        "check", "net.onnx", "--exit-zero", "--name-nodes", "named.onnx", "--report", "netron=named.json"
    )
    assert code == 0
    assert "wrote named.onnx: 3 nodes named" in err
    assert "without a name" not in err
    assert "named.onnx" in out
    document = json.loads(Path("named.json").read_text(encoding="utf-8"))
    assert {entry["target"] for entry in document["metrics"] if entry["kind"] == "node"} == {"MaxPool_1"}


@pytest.mark.parametrize("models", [("net.onnx", "other.onnx"), ("nothing.onnx",)])
def test_a_named_copy_is_of_one_model_that_can_be_read(run: Run, models: tuple[str, ...]) -> None:
    for name in ("net.onnx", "other.onnx"):
        write_network(Path(name))
    code, _, err = run("check", *models, "--name-nodes", "named.onnx")
    assert code == 2
    assert "--name-nodes" in err
    assert not Path("named.onnx").exists()


def test_the_model_is_never_its_own_named_copy(run: Run) -> None:
    before = write_network(Path("net.onnx")).read_bytes()
    code, _, err = run("check", "net.onnx", "--name-nodes", "net.onnx")
    assert code == 2
    assert "choose another name" in err
    assert Path("net.onnx").read_bytes() == before


def test_a_folder_gets_an_overview_and_a_page_per_model(run: Run) -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
        write_network(Path(folder) / "net.onnx")
    _, _, err = run("check", "a", "b", "--report", "html=pages/")
    assert "wrote pages/index.html and 2 pages beside it" in err
    assert sorted(path.name for path in Path("pages").iterdir()) == ["index.html", "net-2.html", "net.html"]
    first = Path("pages/index.html").read_text()
    assert 'href="net.html"' in first
    assert 'href="net-2.html"' in first
    assert "Sampling sites" not in first
    for name in ("net.html", "net-2.html"):
        one = Path("pages", name).read_text()
        assert 'href="index.html"' in one
        assert "Sampling sites" in one


@pytest.mark.parametrize("path", ["again", "again/"])
def test_a_folder_that_is_there_already_is_filled_too(run: Run, path: str) -> None:
    write_network(Path("net.onnx"))
    Path("again").mkdir()
    run("check", "net.onnx", "--report", f"html={path}")
    assert sorted(made.name for made in Path("again").iterdir()) == ["index.html", "net.html"]


@pytest.mark.parametrize(
    ("word", "message"),
    [("json=pages/", "only html fills a folder"), ("html=net.onnx/", "is a file, not a folder")],
)
def test_a_folder_is_refused_where_it_cannot_be(run: Run, word: str, message: str) -> None:
    write_network(Path("net.onnx"))
    code, _, err = run("check", "net.onnx", "--report", word)
    assert code == 2
    assert message in err


def test_names_of_models_become_names_of_files() -> None:
    names = file_names(["a/Net.onnx", "b/net.onnx", "index.onnx", "../..", "ü x.onnx", "c\\d.onnx", ".onnx"])
    assert names == ["Net.html", "net-2.html", "index-2.html", "model.html", "__x.html", "d.html", "model-2.html"]
