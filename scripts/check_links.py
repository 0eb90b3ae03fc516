"""Ask every page that the documentation links to whether it is still there: ``python scripts/check_links.py``.

Links inside the repository are held by the tests; this one needs the network. A page that refuses programs (401, 403,
429) or cannot be reached for the moment (5xx, time-outs) is named and does not count.
"""

from __future__ import annotations

import re
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("*.md", ".github/**/*.md", "docs/**/*.md", "rules/*.md")
GONE = frozenset({404, 410})
_PATIENCE = 20  # seconds per page
_AT_ONCE = 8


def links(root: Path) -> dict[str, list[str]]:
    """The addresses that pages link to outside of code, each with the pages that do."""
    found: dict[str, list[str]] = {}
    for pattern in PAGES:
        for page in sorted(root.glob(pattern)):
            prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
            for address in re.findall(r"\]\((https?://[^)\s#]+)|^\[[^]]+\]: (https?://\S+)", prose, re.MULTILINE):
                pages = found.setdefault(address[0] or address[1], [])
                pages.append(page.relative_to(root).as_posix())
    return found


def answer(address: str) -> int | str:
    """The status of an address, or why there is none."""
    request = urllib.request.Request(address, headers={"User-Agent": "aliasaudit link check"})  # noqa: S310 - http(s) only
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE) as response:  # noqa: S310
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError) as error:
        return str(error)


def main() -> int:
    """Ask them all, and name those that are gone."""
    found = links(ROOT)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = dict(zip(found, pool.map(answer, found), strict=True))
    gone = 0
    for address, status in answers.items():
        if status != 200:
            gone += status in GONE
            print(f"{status} {address} in {', '.join(sorted(set(found[address])))}")
    print(f"{len(answers)} links, {gone} gone")
    return 1 if gone else 0


if __name__ == "__main__":
    sys.exit(main())
