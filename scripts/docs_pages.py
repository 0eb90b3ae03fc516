"""The generated pages of the documentation site: rules, commands, settings, and the JSON report.

MkDocs loads this file as a hook (``mkdocs.yml``) and gets the pages as generated files, so nothing generated is ever
committed or stale.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from auditor.audit.packs import load_builtin  # noqa: E402 - after the path is set
from auditor.policy.keys import settings_schema  # noqa: E402
from auditor.report.json.schema import report_schema  # noqa: E402

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

Schema = dict[str, Any]


def pages() -> dict[str, str]:
    """Every generated page, by its path in the site's sources."""
    return {
        **rule_pages(),
        "reference/commands.md": commands_page(),
        "reference/settings.md": settings_page(),
        "reference/report.md": report_page(),
    }


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the rules to the navigation (an event of MkDocs)."""
    assert config.nav is not None
    config.nav.append({"Rules": list(rule_pages())})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages (an event of MkDocs)."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def rule_pages() -> dict[str, str]:
    """An index of the built-in rules, and the page of each with its severities and status under the title."""
    pack = load_builtin()
    index = ["# Rules", "", "| rule | name | severity | flags |", "|---|---|---|---|"]
    found: dict[str, str] = {}
    for rule in pack.rules:
        name = f"{rule.code.lower()}_{rule.name.replace('-', '_')}.md"
        severities = ", ".join(severity.value for severity in rule.severities)
        index.append(f"| [{rule.code}]({name}) | `{rule.name}` | {severities} | {rule.summary} |")
        title, _, body = (ROOT / "rules" / name).read_text(encoding="utf-8").partition("\n")
        facts = f"*{rule.summary}*\n\nSeverity: {severities}. Status: {rule.status}, since {rule.since}."
        found[f"rules/{name}"] = f"{title}\n\n{facts}\n{body}"
    index += ["", "`aliasaudit rule AA101` prints the page of a rule."]
    return {"rules/index.md": "\n".join(index) + "\n", **found}


def commands_page() -> str:
    """What every command prints under ``--help-all``."""
    overview = _help()
    parts = ["# Commands", "", _block(overview)]
    for command in command_names(overview):
        parts += ["", f"## aliasaudit {command}", "", _block(_help(command))]
    return "\n".join(parts) + "\n"


def command_names(overview: str) -> list[str]:
    """The commands that the help of the program lists."""
    listed = overview.partition("Commands:\n")[2]
    return re.findall(r"^  (\w[\w-]*)", listed, flags=re.MULTILINE)


def settings_page() -> str:
    """The keys of a settings file."""
    schema = settings_schema()
    intro = (
        "# Settings\n\n`[tool.aliasaudit]` in `pyproject.toml`, or the same keys in `aliasaudit.toml`. The nearest file"
        " up to the root of the git repository counts, alone. A key that does not exist is an error. `aliasaudit"
        " config` shows the values in force and where each comes from, `aliasaudit schema settings` prints the JSON"
        " Schema of this page.\n"
    )
    return "\n".join([intro, *_table(schema["properties"])]) + "\n"


def report_page() -> str:
    """The members of the JSON report, one table per kind of object."""
    definitions = report_schema()["$defs"]
    written = "What `--output-format json` and `--report json=FILE` write."
    printed = "`aliasaudit schema report` prints the JSON Schema of this page."
    numbers = "Numbers have six decimals. null is a value that is not known, or a number that is not finite."
    promise = (
        "Adding a member is no breaking change; removing, renaming or retyping one raises the first number of"
        " `schema_version`."
    )
    parts = ["# JSON report", "", f"{written} {numbers} {printed}", "", promise]
    for name in sorted(definitions, key=lambda name: (name != "Report", name)):
        definition = definitions[name]
        members = _table(_members(definition)) if "properties" in definition else [f"One of {_kind(definition)}."]
        parts += ["", f"## {name}", "", definition["description"], "", *members]
    return "\n".join(parts) + "\n"


def _members(definition: Schema) -> Schema:
    """The members of an object, or of the one that stands beside null."""
    for option in (definition, *definition.get("oneOf", ())):
        if "properties" in option:
            return dict(option["properties"])
    return {}


def _table(members: Schema, prefix: str = "") -> list[str]:
    rows = [] if prefix else ["| member | type | meaning |", "|---|---|---|"]
    for name, schema in members.items():
        meaning = schema.get("description", "").replace("|", "\\|")
        rows.append(f"| `{prefix}{name}` | {_kind(schema)} | {meaning} |")
        inner = schema.get("items") or schema
        rows += _table(_members(inner), f"{prefix}{name}{'[]' if 'items' in schema else ''}.")
    return rows


def _kind(schema: Schema) -> str:
    if "$ref" in schema:
        target = schema["$ref"].rpartition("/")[2]
        return f"[{target}](#{target.lower()})"
    if "oneOf" in schema or "anyOf" in schema:
        return " or ".join(_kind(option) for option in (*schema.get("oneOf", ()), *schema.get("anyOf", ())))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join("null" if value is None else f"`{value}`" for value in schema["enum"])
    kinds = schema.get("type", "any value")
    text = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    if "prefixItems" in schema:
        return f"list of {' and '.join(map(_kind, schema['prefixItems']))}"
    if "array" in text and "items" in schema:
        return text.replace("array", f"list of {_kind(schema['items'])}")
    if text == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    return text


def _help(*command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "TERMINAL_WIDTH": "100"}
    done = subprocess.run(
        [sys.executable, "-m", "auditor", *command, "--help-all" if command else "--help"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment,
        check=True,
    )
    return done.stdout.rstrip()


def _block(text: str) -> str:
    return f"```text\n{text}\n```"


def links(page: str) -> Iterator[str]:
    """The targets of the Markdown links of a page, code left out."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", page, flags=re.DOTALL)
    yield from re.findall(r"\]\(([^)\s]+)\)", prose)
