"""Begin a rule: ``python scripts/new_rule.py AA1 wide-stride "A stride is larger than 4."``.

Writes its file, its page and its table of cases, with the next free code of the group. The file works as it stands and
flags strides above an option; what it looks for, the page and the cases are then yours to write.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from auditor import __version__  # noqa: E402 - run as a script

RULE = '''"""{code} {name}: {summary}"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Rule


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per site whose stride exceeds the option."""
    for site in context.analysis.sites:
        if max(site.stride, default=1) > context.options["largest"]:
            yield Finding(
                rule=RULE.code,
                name=RULE.name,
                severity=Severity.WARNING,
                message=f"The stride is {{max(site.stride)}}.",
                advice="Subsample in two steps.",
                node=site.node,
                numbers={{"stride": max(site.stride)}},
            )


RULE = Rule(
    code="{code}",
    name="{name}",
    summary="{summary}",
    severities=(Severity.WARNING,),
    check=check,
    options={{"largest": 4}},
    since="{version}",
)
'''
PAGE = """# {code} {name}

## What it does

{summary}

## Why it matters

## Example

Fires:

```graph
input 1x8x32x32
MaxPool k8 s8
```

Does not fire:

```graph
input 1x8x32x32
MaxPool k2 s2
```

## What to do

## Fix safety

## Options

| option | default | meaning |
|---|---|---|
| `largest` | 4 | the largest stride that passes |

## References
"""
CASES = '''[[case]]
name = "a stride above the option"
graph = """
input 1x8x32x32
MaxPool k8 s8
"""
expect = [{ node = "MaxPool_1", severity = "warning" }]

[[case]]
name = "a stride below it"
graph = """
input 1x8x32x32
MaxPool k2 s2
"""
expect = []
'''


def new_rule(root: Path, group: str, name: str, summary: str) -> tuple[Path, ...]:
    """Write the three files of a rule, and give their paths.

    Raises:
        ValueError: The group, the name or the summary is not what it must be, or there is such a rule.
    """
    if not re.fullmatch(r"AA\d", group):
        raise ValueError(f"the group must be AA and a digit such as AA1; it is {group!r}")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise ValueError(f"the name must be words with hyphens such as wide-stride; it is {name!r}")
    if not summary.endswith(".") or '"' in summary:
        raise ValueError("the summary must be a sentence that ends with a full stop, without quotation marks")
    rules = root / "rules"
    known = [path.stem for path in rules.glob("aa[0-9]*.py")]
    if any(stem.partition("_")[2] == name.replace("-", "_") for stem in known):
        raise ValueError(f"there is a rule called {name}")
    taken = {int(stem[2:5]) for stem in known}
    code = f"AA{min(set(range(int(group[2]) * 100 + 1, int(group[2]) * 100 + 100)) - taken)}"
    words = {"code": code, "name": name, "summary": summary, "version": __version__}
    stem = f"{code.lower()}_{name.replace('-', '_')}"
    files = {
        rules / f"{stem}.py": RULE.format_map(words),
        rules / f"{stem}.md": PAGE.format_map(words),
        root / "tests" / "rules" / f"{code.lower()}.toml": CASES,
    }
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    return tuple(files)


def main() -> int:
    """Read the command line, write, and say what is next."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group", help="AA1 one node, AA2 path and graph, … (CONTRIBUTING, A new rule)")
    parser.add_argument("name", help="what is flagged, such as wide-stride")
    parser.add_argument("summary", help="one sentence for the index of rules")
    given = parser.parse_args()
    try:
        files = new_rule(ROOT, given.group, given.name, given.summary)
    except ValueError as error:
        parser.error(str(error))
    for path in files:
        print(path.relative_to(ROOT).as_posix())
    print("next: write what it looks for, its page and its cases; then `python scripts/update_readme.py`")
    return 0


if __name__ == "__main__":
    sys.exit(main())
