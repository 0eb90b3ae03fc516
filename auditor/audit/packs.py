"""Rule packs: folders of rules, loaded the same way whether they are ours or a user's.

A pack is a Python package folder with a ``pack.toml`` (``name``, ``prefix``, ``api = 1``) and, per rule, a module
``aa101_strided_max_pool.py`` that exports ``RULE`` and a page ``aa101_strided_max_pool.md``. The file names say the
code and the name, so a rule is found by looking. The built-in pack lies in ``<auditor>/rules`` in an installed wheel
and in ``<auditor>/../rules`` in a checkout, and is called ``auditor.rules`` in both; a user's folder becomes
``auditor_pack_<name>``. Loading a pack runs its code: only load what the user named.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from types import ModuleType

from auditor.facts.rule import Rule

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

API = 1
GROUP = "aliasaudit.rules"
HEADINGS = (
    "What it does",
    "Why it matters",
    "Example",
    "What to do",
    "Fix safety",
    "Options",
    "References",
)

_BUILTIN_MODULE = "auditor.rules"
_BUILTIN_PREFIX = "AA"
_KEYS = ("name", "prefix", "api")


class PackError(Exception):
    """A rule pack that cannot be used; the message is one line and names the folder or file."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A loaded rule pack. ``rules`` are sorted by code."""

    name: str
    prefix: str
    rules: tuple[Rule, ...]
    folder: Path

    @property
    def builtin(self) -> bool:
        """Whether it is the pack that comes with the program."""
        return self.prefix == _BUILTIN_PREFIX

    def blame(self, rule: Rule, error: BaseException) -> str:
        """The file and line of this pack where an exception of one of its rules came from."""
        return _place(error, self.folder) or f"{self.folder / _stem(rule)}.py"

    def page(self, code: str) -> str:
        """The Markdown page of one of this pack's rules.

        Raises:
            KeyError: The pack has no rule of that code.
        """
        for rule in self.rules:
            if rule.code == code:
                return (self.folder / f"{_stem(rule)}.md").read_text(encoding="utf-8")
        raise KeyError(code)


@dataclass(frozen=True, slots=True)
class InstalledPack:
    """A pack that an installed distribution offers. Its code does not run before :meth:`load`.

    ``prefix`` is the entry point's name, so that a selection can be matched to a pack without loading it.
    """

    prefix: str
    module: str
    distribution: str

    def load(self) -> Pack:
        """Import the pack.

        Raises:
            PackError: It cannot be imported, is no rule pack, or its prefix is not the one it was announced with.
        """
        # Foreign code may fail in any way; the user needs to know whose it is.
        try:
            module = importlib.import_module(self.module)
        except Exception as error:
            raise PackError(
                f"rule pack {self.module}: {_reason(error)}; fix or uninstall {self.distribution}"
            ) from error
        if not getattr(module, "__file__", None):
            raise PackError(f"rule pack {self.module}: not a package with an __init__.py")
        pack = _read(Path(str(module.__file__)).parent, module)
        if pack.prefix == _BUILTIN_PREFIX:
            raise PackError(f"rule pack {self.module}: prefix {pack.prefix} belongs to the built-in rules")
        if pack.prefix != self.prefix:
            raise PackError(f"rule pack {self.module}: announced as {self.prefix} but pack.toml says {pack.prefix}")
        return pack


def load_builtin() -> Pack:
    """The rules that come with the program.

    Raises:
        PackError: They are missing or damaged, as after a broken installation.
    """
    here = Path(__file__).resolve().parent.parent
    for folder in (here / "rules", here.parent / "rules"):
        # Without the marker this could be the unrelated project of that name in site-packages.
        if (folder / "pack.toml").is_file():
            return _read(folder, _package(folder, _BUILTIN_MODULE))
    raise PackError("the built-in rule pack is missing: reinstall aliasaudit")


def load_folder(folder: Path) -> Pack:
    """A user's own rules. Their code runs.

    Raises:
        PackError: The folder is no rule pack, claims the built-in prefix, or a rule in it is not valid.
    """
    folder = folder.resolve()
    name, prefix = _description(folder)
    if prefix == _BUILTIN_PREFIX:
        raise PackError(f"{folder / 'pack.toml'}: prefix {prefix} belongs to the built-in rules; choose another")
    return _read(folder, _package(folder, f"auditor_pack_{name.replace('-', '_')}"))


def installed() -> tuple[InstalledPack, ...]:
    """The packs that installed distributions offer under the entry-point group ``aliasaudit.rules``, by prefix."""
    # Costs more than the rest of this module, and few runs ask for it.
    from importlib.metadata import entry_points

    found = [
        InstalledPack(
            point.name, point.module, point.dist.name if point.dist is not None else "an unknown distribution"
        )
        for point in entry_points(group=GROUP)
    ]
    return tuple(sorted(found, key=lambda pack: (pack.prefix, pack.module)))


def _read(folder: Path, module: ModuleType) -> Pack:
    """Collect and check the rules of a package that is already imported."""
    name, prefix = _description(folder)
    pattern = re.compile(rf"{prefix.lower()}\d{{3}}_[a-z0-9_]+")
    stems = sorted(path.stem for path in folder.glob("*.py") if pattern.fullmatch(path.stem))
    rules = tuple(_rule(folder, stem, module.__name__, prefix) for stem in stems)
    if not rules:
        raise PackError(f"{folder}: no rules; a rule is a file such as {prefix.lower()}101_what_it_flags.py")
    codes = [rule.code for rule in rules]
    for code in codes:
        if codes.count(code) > 1:
            raise PackError(f"{folder}: two rules have the code {code}")
    return Pack(name=name, prefix=prefix, rules=rules, folder=folder)


def _description(folder: Path) -> tuple[str, str]:
    """The name and prefix that ``pack.toml`` declares."""
    path = folder / "pack.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PackError(f"{path}: {error.strerror}; a rule pack needs this file with name, prefix and api") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PackError(f"{path}: {_reason(error)}") from error
    for key in data:
        if key not in _KEYS:
            raise PackError(f"{path}: unknown key {key!r}; known are {', '.join(_KEYS)}")
    if data.get("api") != API:
        raise PackError(f"{path}: api must be {API}, the version of the rule interface that this program speaks")
    return (
        _text(path, data, "name", r"[a-z][a-z0-9-]*", "a kebab-case word"),
        _text(path, data, "prefix", r"[A-Z]{2,8}", "2 to 8 capital letters"),
    )


def _text(path: Path, data: Mapping[str, object], key: str, pattern: str, wanted: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise PackError(f"{path}: {key} must be {wanted}")
    return value


def _package(folder: Path, name: str) -> ModuleType:
    """Import ``folder`` as the package ``name``, wherever it lies."""
    start = folder / "__init__.py"
    known = sys.modules.get(name)
    if known is not None:
        if known.__file__ != str(start):
            raise PackError(f"{folder}: a pack of the same name is already loaded from {known.__file__}; rename one")
        return known
    spec = importlib.util.spec_from_file_location(name, start, submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None or not start.is_file():
        raise PackError(f"{folder}: a rule pack is a Python package; add an (empty) __init__.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise PackError(f"{_place(error, folder) or start}: {_reason(error)}") from error
    return module


def _rule(folder: Path, stem: str, package: str, prefix: str) -> Rule:
    """Import one rule module and check what it exports against its file name and its page."""
    path = folder / f"{stem}.py"
    try:
        rule = getattr(importlib.import_module(f"{package}.{stem}"), "RULE", None)
    except Exception as error:
        raise PackError(f"{_place(error, folder) or path}: {_reason(error)}") from error
    if not isinstance(rule, Rule):
        raise PackError(f"{path}: must export RULE, an auditor.facts.rule.Rule")
    if not re.fullmatch(rf"{prefix}\d{{3}}", rule.code):
        raise PackError(f"{path}: the code {rule.code!r} must be {prefix} and three digits")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", rule.name):
        raise PackError(f"{path}: the name {rule.name!r} must be in kebab-case")
    if _stem(rule) != stem:
        raise PackError(f"{path}: the file must be called {_stem(rule)}.py after the rule's code and name")
    _check_page(path.with_suffix(".md"))
    return rule


def _check_page(path: Path) -> None:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PackError(f"{path}: {_reason(error)}; every rule needs a page") from error
    headings = tuple(line[3:].strip() for line in text.splitlines() if line.startswith("## "))
    if headings != HEADINGS:
        raise PackError(f"{path}: the headings must be {', '.join(HEADINGS)}, in this order")


def _stem(rule: Rule) -> str:
    return f"{rule.code.lower()}_{rule.name.replace('-', '_')}"


def _place(error: BaseException, folder: Path) -> str:
    """The innermost file and line of ``folder`` that an exception passed; empty where it passed none."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_relative_to(folder):
        return f"{error.filename}:{error.lineno}"
    frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    inner = [f"{name}:{line}" for name, line in frames if Path(name).is_relative_to(folder)]
    return inner[-1] if inner else ""


def _reason(error: Exception) -> str:
    """An exception as one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(f"{type(error).__name__}: {error}".split())
