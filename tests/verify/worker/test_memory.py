"""The memory that a model may use is that of the container, where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor import system
from auditor.verify.worker import memory


def machine(root: Path, groups: str, limits: dict[str, str]) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, text in limits.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        pytest.param("0::/\n", {"memory.max": "2147483648\n"}, 2 << 30, id="version 2, in a container"),
        pytest.param("0::/job\n", {"memory.max": "max\n", "job/memory.max": "max\n"}, None, id="version 2, no limit"),
        pytest.param(
            "0::/a/b\n",
            {"a/b/memory.max": "max\n", "a/memory.max": "1073741824\n", "memory.max": "2147483648\n"},
            1 << 30,
            id="version 2, the limit of a group above",
        ),
        pytest.param(
            "9:name=systemd:/\n4:cpu,memory:/docker/0af3\n0::/\n",
            {"memory/memory.limit_in_bytes": "536870912\n"},
            512 << 20,
            id="version 1, in a container that is called otherwise outside",
        ),
        pytest.param(
            "4:memory:/user\n",
            {"memory/user/memory.limit_in_bytes": "268435456\n", "memory/memory.limit_in_bytes": f"{2**63 - 4096}\n"},
            256 << 20,
            id="version 1, the limit of the own group",
        ),
        pytest.param("0::/../other\n", {"memory.max": "1024\n"}, 1024, id="a group outside of the visible tree"),
        pytest.param("nonsense\n\n::\n", {}, None, id="a file of another form"),
    ],
)
def test_the_limit_of_the_container_is_found(
    tmp_path: Path, groups: str, limits: dict[str, str], expected: int | None
) -> None:
    assert memory.container_limit(machine(tmp_path, groups, limits)) == expected


def test_without_control_groups_there_is_no_container_limit(tmp_path: Path) -> None:
    assert memory.container_limit(tmp_path) is None


def test_the_smaller_of_machine_and_container_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "physical_memory", lambda: 1000)
    for container, share in ((None, 800), (500, 400), (5000, 800)):
        monkeypatch.setattr(memory, "container_limit", lambda container=container: container)
        assert memory.default_limit() == share
