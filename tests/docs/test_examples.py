"""Every example of the documentation does what the page says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scripts.docs_pages import command_names
from tests.docs.pages import DOCS, PAGES, ROOT, Block, all_blocks, blocks, generated, guide, prepare
from tests.plugins.arguments import plugin_arguments

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ACTION = yaml.safe_load((ROOT / ".github" / "actions" / "check" / "action.yml").read_text(encoding="utf-8"))
GATE = yaml.load((ROOT / ".github" / "workflows" / "gate.yml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONSOLE = [page for page in PAGES if blocks(page, "console")]
# What is typed in a checkout to have the program.
INSTALLING = blocks(DOCS / "index.md", "bash")[0].text.splitlines()
# What a measurement prints differs in its last digits between machines.
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if os.name == "nt" or shutil.which("bash") is None:
        pytest.skip("the examples are for a POSIX shell")
    return tmp_path


def shell(command: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )


def python(path: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = shlex.join([sys.executable, *arguments, path.name])
    return shell(command, path.parent, environment)


def checked_by_schema(name: str, text: str, tmp_path: Path, *options: str) -> None:
    program = shutil.which("check-jsonschema", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("check-jsonschema is not installed: it comes with the extra `dev`")
    file = tmp_path / "example.yml"
    file.write_text(text, encoding="utf-8")
    command = [program, *options, "--builtin-schema", name, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def assert_printed(shown: list[str], printed: str, measured: bool) -> None:
    """Every shown line was printed, in this order; ``...`` stands for any text in a line, or for any lines."""

    def read(line: str) -> str:
        line = " ".join(line.split())
        return _NUMBER.sub("#", line) if measured else line

    lines = iter(map(read, printed.splitlines()))
    for line in shown:
        if line.strip() in ("", "..."):
            continue
        pattern = ".*".join(map(re.escape, read(line).split("...")))
        assert any(re.fullmatch(pattern, other) for other in lines), f"not printed: {line}\n\n{printed}"


@pytest.mark.parametrize("page", CONSOLE, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_every_command_runs_and_prints_what_the_page_shows(page: Path, folder: Path) -> None:
    environment = prepare(folder)
    for block in blocks(page):
        if block.language == "toml":
            (folder / "aliasaudit.toml").unlink(missing_ok=True)
            (folder / "pyproject.toml").write_text(block.text, encoding="utf-8")
        if title := re.fullmatch(r'python title="(\w+\.py)"', block.language):
            (folder / title[1]).write_text(block.text, encoding="utf-8")
        for session in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:] if block.language == "console" else ():
            command, *shown = session.splitlines()
            done = shell(command, folder, environment)
            assert done.returncode in (0, 1), done.stdout
            assert "Traceback" not in done.stdout
            assert_printed(shown, done.stdout, measured="verify" in command or "fix" in command)


@pytest.mark.parametrize("block", all_blocks("toml"), ids=str)
def test_settings_are_accepted(block: Block, folder: Path) -> None:
    environment = prepare(folder)
    assert shell("aliasaudit baseline write models", folder, environment).returncode == 0
    (folder / "aliasaudit.toml").unlink()
    (folder / "pyproject.toml").write_text(block.text, encoding="utf-8")
    done = shell("aliasaudit check models/net.onnx", folder, environment)
    assert done.returncode in (0, 1), done.stdout


@pytest.mark.parametrize("block", guide("github-actions", "yaml"), ids=str)
def test_a_github_workflow_is_valid_and_uses_only_what_the_action_has(block: Block, tmp_path: Path) -> None:
    checked_by_schema("vendor.github-workflows", block.text, tmp_path)
    for job in yaml.safe_load(block.text)["jobs"].values():
        for step in [job, *job.get("steps", [])]:
            uses = step.get("uses", "")
            if "aliasaudit" not in uses:
                assert "uses" not in step or re.search(r"@[0-9a-f]{40}$", uses)
                continue
            path = ROOT.joinpath(*uses.partition("@")[0].split("/")[2:])  # behind OWNER/REPOSITORY
            known = ACTION["inputs"] if path.is_dir() else GATE["on"]["workflow_call"]["inputs"]
            assert path.exists()
            assert set(step["with"]) <= set(known)
            assert {name for name, facts in known.items() if facts.get("required") in (True, "true")} <= set(
                step["with"]
            )
    for output in re.findall(r"steps\.\w+\.outputs\.([\w-]+)", block.text):
        assert output in ACTION["outputs"]


@pytest.mark.parametrize("block", guide("gitlab-ci", "yaml"), ids=str)
def test_a_gitlab_job_is_valid_and_its_script_writes_its_artifacts(block: Block, folder: Path, tmp_path: Path) -> None:
    checked_by_schema("vendor.gitlab-ci", block.text, tmp_path)
    environment = prepare(folder)
    (job,) = yaml.safe_load(block.text).values()
    for command in job["script"]:
        assert shell(command, folder, environment).returncode == 1  # the example has findings
    for report in job["artifacts"]["reports"].values():
        assert (folder / report).stat().st_size > 0


@pytest.mark.parametrize("block", guide("pre-commit", "yaml"), ids=str)
def test_a_pre_commit_hook_is_one_that_there_is_and_its_options_are_taken(block: Block, folder: Path) -> None:
    (offered,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    ((repository,),) = (yaml.safe_load(block.text)["repos"],)
    (hook,) = repository["hooks"]
    assert hook["id"] == offered["id"]
    command = shlex.join([*offered["entry"].split(), *hook.get("args", []), "models/net.onnx"])
    done = shell(command, folder, prepare(folder))
    assert done.returncode == 1, done.stdout
    assert ("AA106" not in done.stdout) == ("AA106" in hook.get("args", []))


@pytest.mark.parametrize("block", guide("dvc", "yaml"), ids=str)
def test_a_dvc_stage_makes_exactly_what_it_declares(block: Block, folder: Path) -> None:
    environment = prepare(folder)
    for stage in yaml.safe_load(block.text)["stages"].values():
        assert all((folder / path).exists() for path in stage["deps"])
        done = shell(stage["cmd"], folder, environment)
        assert done.returncode == 0, done.stdout
        made = {path.relative_to(folder).as_posix() for path in (folder / "reports").iterdir()}
        assert made == {name for kind in ("metrics", "outs") for entry in stage[kind] for name in entry}


@pytest.mark.parametrize("block", guide("python", "python"), ids=str)
def test_the_python_examples_run(block: Block, folder: Path) -> None:
    script = folder / "example.py"
    script.write_text(block.text, encoding="utf-8")
    done = python(script, prepare(folder))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("block", guide("mlflow", "python"), ids=str)
def test_the_mlflow_examples_log_numbers_and_files_that_exist(block: Block, folder: Path) -> None:
    environment = prepare(folder)
    (folder / "mlflow.py").write_text(
        "from contextlib import nullcontext as start_run\n"
        "from pathlib import Path\n"
        "def log_metrics(values):\n"
        "    assert all(isinstance(value, int | float) for value in values.values())\n"
        "    print('metrics', *values)\n"
        "def log_dict(value, name):\n    print('dict', name)\n"
        "def log_artifact(path):\n    assert Path(path).stat().st_size\n    print('file', path)\n"
    )
    script = folder / "example.py"
    script.write_text(block.text, encoding="utf-8")
    done = python(script, environment)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^(metrics aliasing\.errors|file aliasing\.json)", done.stdout, flags=re.MULTILINE)


def test_the_pytest_examples_pass_but_for_the_model_that_has_findings(folder: Path) -> None:
    environment = prepare(folder)
    for number, block in enumerate(guide("pytest", "python")):
        (folder / f"test_example_{number}.py").write_text(block.text, encoding="utf-8")
    done = shell(shlex.join([sys.executable, "-m", "pytest", "-q", *plugin_arguments()]), folder, environment)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("block", guide("docker", "dockerfile"), ids=str)
def test_a_dockerfile_installs_an_extra_that_there_is_and_runs_without_root(block: Block) -> None:
    joined = block.text.replace("\\\n", " ")
    instructions = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    names = [name for name, _ in instructions]
    assert names[0] == "FROM"
    assert set(names) <= {"FROM", "COPY", "RUN", "USER", "WORKDIR", "ENTRYPOINT"}
    assert re.fullmatch(r"\S+:\d+\.\d+\.\d+-\S+", instructions[0][1])
    assert names.index("USER") < names.index("ENTRYPOINT")
    environment = re.findall(r"-m venv (\S+)", joined)[0]
    assert instructions[-1] == ["ENTRYPOINT", f'["{environment}/bin/aliasaudit"]']


@pytest.mark.slow
def test_the_image_of_a_checkout_is_built_and_runs_the_demo(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], capture_output=True, check=False).returncode:
        pytest.skip("there is no Docker daemon here")
    (tmp_path / "Dockerfile").write_text(guide("docker", "dockerfile")[0].text, encoding="utf-8")
    tag = f"aliasaudit-test-{os.getpid()}"
    build = [docker, "build", "--tag", tag, "--file", str(tmp_path / "Dockerfile"), str(ROOT)]
    try:
        built = subprocess.run(build, capture_output=True, text=True, encoding="utf-8", check=False)
        assert built.returncode == 0, built.stdout + built.stderr
        told = subprocess.run(
            [docker, "run", "--rm", "--network", "none", tag, "demo"],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert told.returncode == 0, told.stdout + told.stderr
        assert "BETTER" in told.stdout
    finally:
        subprocess.run([docker, "image", "rm", "--force", tag], capture_output=True, check=False)


def test_a_jenkins_pipeline_makes_what_it_publishes_and_uses_steps_of_its_own_plugins(folder: Path) -> None:
    (block,) = guide("jenkins", "groovy")
    assert block.text.count("{") == block.text.count("}")
    commands = [line for line in re.findall(r"sh '([^']+)'", block.text) if line.startswith("aliasaudit")]
    environment = prepare(folder)
    for command in commands:
        assert shell(command, folder, environment).returncode == 1  # the example has findings
    published = re.findall(r"(?:junit|artifacts:) '([^']+)'", block.text)
    assert len(published) == 2
    for report in published:
        assert (folder / report).stat().st_size > 0


@pytest.mark.parametrize("block", guide("azure-pipelines", "yaml"), ids=str)
def test_an_azure_pipeline_is_valid_and_makes_what_it_publishes(block: Block, folder: Path, tmp_path: Path) -> None:
    # Patterns of that schema are not of the kind that is strict about escapes.
    checked_by_schema("vendor.azure-pipelines", block.text, tmp_path, "--regex-variant", "nonunicode")
    environment = prepare(folder)
    steps = yaml.safe_load(block.text)["steps"]
    for command in (step["script"] for step in steps if step.get("script", "").startswith("aliasaudit")):
        assert shell(command, folder, environment).returncode == 1  # the example has findings
    published = [step["inputs"]["testResultsFiles"] for step in steps if step.get("task", "").startswith("Publish")]
    published += [step["publish"] for step in steps if "publish" in step]
    assert len(published) == 2
    for report in published:
        assert (folder / report).stat().st_size > 0


@pytest.mark.parametrize("block", guide("hugging-face", "python"), ids=str)
def test_the_block_of_a_model_card_goes_into_a_card_that_is_there(block: Block, folder: Path) -> None:
    pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed: the page is about it")
    environment = prepare(folder)
    command = "aliasaudit verify --images-limit 4 --shifts 1 --layers 0 --report model-card=card.md models/net.onnx"
    assert shell(command, folder, environment).returncode in (0, 1)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# A model\n\nIts story.\n", encoding="utf-8")
    (folder / "example.py").write_text(block.text, encoding="utf-8")
    for _ in range(2):  # a second run leaves one block
        done = python(folder / "example.py", environment)
        assert done.returncode == 0, done.stdout
    metadata, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)[1:]
    read = yaml.safe_load(metadata)
    assert read["license"] == "mit"
    assert len(read["model-index"][0]["results"]) == 1
    assert text.startswith("# A model\n\nIts story.\n\n## Steadiness under shifts\n")
    assert text.count("## ") == 1


@pytest.mark.slow
@pytest.mark.parametrize("command", [line for line in INSTALLING if re.match(r"uvx|uv tool|pipx", line)])
def test_the_lines_of_uv_and_pipx_install_a_checkout_and_run_it(command: str, tmp_path: Path) -> None:
    program = command.partition(" ")[0]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    places = {"UV_TOOL_DIR": "tools", "UV_TOOL_BIN_DIR": "bin", "PIPX_HOME": "pipx", "PIPX_BIN_DIR": "bin"}
    environment = {**os.environ, **{name: str(tmp_path / place) for name, place in places.items()}}
    done = shell(command, ROOT, environment)
    assert done.returncode == 0, done.stdout
    if " install " in command:
        done = shell(shlex.join([str(tmp_path / "bin" / "aliasaudit"), "demo"]), tmp_path, environment)
    assert "BETTER" in done.stdout


def test_every_extra_that_is_installed_anywhere_exists() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for extras in re.findall(r"aliasaudit\[([\w,]+)\]", text):
        assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_every_command_and_every_option_that_a_page_names_exists(page: Path) -> None:
    reference = generated()["reference/commands.md"]
    commands = command_names(reference)
    text = page.read_text(encoding="utf-8")
    for command in re.findall(r"(?:^\$ |`|cmd: )aliasaudit ([a-z]+)", text, flags=re.MULTILINE):
        assert command in commands
    own = re.findall(r"`(--[a-z-]+)", text)
    own += [
        word
        for line in text.replace("\\\n", " ").splitlines()
        if re.search(r"aliasaudit (check|verify|fix|compare|report|rule|config|demo|schema|baseline)\b", line)
        for word in re.findall(r"(?<=\s)(--[a-z][a-z-]+)", line.split("aliasaudit ", 1)[1])
    ]
    known = set(re.findall(r"(--[a-z][a-z-]+)", reference))
    assert set(own) <= known
