"""A model as it stood at another revision of the git repository, Git LFS files included.

Read with ``git cat-file``, which runs no hook, filter or other program of the checkout. A pointer of Git LFS is
resolved by ``git lfs smudge``, which may ask the LFS server.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from auditor.onnxfile import ModelFileError, read_model
from auditor.onnxfile.graph import PayloadKind
from auditor.onnxfile.limits import Limits

_POINTER = b"version https://git-lfs.github.com/spec/"
_LONGEST_POINTER = 1024  # bytes, by the specification of Git LFS
_SECONDS = 900  # for a large file from a slow LFS server
_LINK = "120000"
_CHUNK = 1 << 20


class RevisionError(Exception):
    """The file could not be had from git. The message is one line: what is missing, what to do."""


class Revision:
    """One commit of the repository around a folder.

    Raises:
        RevisionError: git is missing, the folder is in no repository, or the reference names no commit.
    """

    def __init__(self, reference: str, folder: Path) -> None:
        git = shutil.which("git")
        if git is None:
            raise RevisionError("git is not installed, so there is no base to get; give two files instead")
        self._git = git
        self._reference = reference
        top = self._ask(folder, ["rev-parse", "--show-toplevel"])
        if not top:
            raise RevisionError(f"{folder.as_posix()} is in no git repository; give two files instead")
        self._top = Path(top)
        # Without --end-of-options a reference could be an option.
        self._commit = self._ask(
            folder, ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}"]
        )
        if not self._commit:
            raise RevisionError(f"{reference} names no commit here; fetch it first (`git fetch origin`)")

    @property
    def top(self) -> Path:
        """The folder of the repository."""
        return self._top

    def copy(self, path: Path, folder: Path, limits: Limits, weights: bool) -> Path:
        """Write the model at ``path`` in the working tree, as it was then, into ``folder``.

        ``weights`` also gets the files that it keeps its weights in, so that it can be run.

        Raises:
            RevisionError: The commit has no such file, it is too large, or Git LFS cannot give it.
        """
        place = self._place(path)
        copy = folder / place.name
        self._write(place, copy, limits)
        if weights:
            for location in _external(copy, limits):
                target = folder / location
                target.parent.mkdir(parents=True, exist_ok=True)
                self._write(place.parent / location, target, None)
        return copy

    def holds(self, path: Path) -> bool:
        """Whether the commit has a file at ``path`` of the working tree."""
        return self._entry(self._place(path))[0] == "blob"

    def at_branching(self) -> Revision:
        """The last commit that the checkout has in common with this one; this one where there is none."""
        shared = self._ask(self._top, ["merge-base", self._commit, "HEAD"])
        return Revision(shared, self._top) if shared else self

    def differs(self, path: Path, limits: Limits) -> bool:
        """Whether a file of the working tree, or one that it keeps its weights in, is not as in the commit.

        Raises:
            RevisionError: It lies outside of the repository.
        """
        if not self._same(path):
            return True
        others = (path.parent / location for location in _external(path, limits))
        return any(not self._same(other) for other in others if other.is_file())

    def _same(self, path: Path) -> bool:
        kind, _, blob = self._entry(self._place(path))
        if kind != "blob" or not path.is_file():
            return False
        own = self._ask(self._top, ["hash-object", "--no-filters", "--", str(path.absolute())])
        return own == blob or f"oid sha256:{_sha256(path)}" in self._pointer(blob)

    def models(self, folder: Path) -> tuple[Path, ...]:
        """The ONNX files that the commit has below a folder of the working tree, hidden ones left out."""
        place = self._place(folder)
        listing = ["--literal-pathspecs", "ls-tree", "-r", "-z", "--name-only", "--full-tree", self._commit, "--"]
        names = self._ask(self._top, [*listing, *([] if place == PurePosixPath(".") else [f"{place}/"])]).split("\0")
        inner = [PurePosixPath(name).relative_to(place) for name in names if name.endswith(".onnx")]
        return tuple(folder / path for path in inner if not any(part.startswith(".") for part in path.parts))

    def gone(self) -> tuple[Path, ...]:
        """The ONNX files of the commit that are not in the working tree any more."""
        return tuple(old for old in self.models(self._top) if not old.exists())

    def renamed_from(self, path: Path, taken: Collection[Path] = ()) -> Path | None:
        """The file of the commit that a new file of the working tree is under another name, none of those ``taken``.

        It has the same content, and is not in the working tree any more: else the new one is a copy.
        """
        if not path.is_file():
            return None
        blob = self._ask(self._top, ["hash-object", "--no-filters", "--", str(path.absolute())])
        pointed = f"oid sha256:{_sha256(path)}"
        for old in self.gone():
            _, _, found = self._entry(self._place(old))
            if old not in taken and (found == blob or pointed in self._pointer(found)):
                return old
        return None

    def _pointer(self, blob: str) -> list[str]:
        """The lines of a blob that is small enough to be a pointer of Git LFS."""
        if int(self._ask(self._top, ["cat-file", "-s", blob]) or 0) > _LONGEST_POINTER:
            return []
        text = self._ask(self._top, ["cat-file", "blob", blob])
        return text.splitlines() if text.encode("utf-8", "surrogateescape").startswith(_POINTER) else []

    def _entry(self, place: PurePosixPath) -> tuple[str, str, str]:
        """Kind, mode and object of a path in the commit; the kind is empty where there is nothing."""
        listing = ["--literal-pathspecs", "ls-tree", "-z", "--full-tree", self._commit, "--", str(place)]
        mode, _, rest = self._ask(self._top, listing).partition(" ")
        kind, _, rest = rest.partition(" ")
        return kind, mode, rest.partition("\t")[0]

    def _place(self, path: Path) -> PurePosixPath:
        """The path in the repository; the file itself may be a link, or gone by now."""
        absolute = path.parent.resolve() / path.name
        if not absolute.is_relative_to(self._top.resolve()):
            raise RevisionError(f"{path.as_posix()} lies outside of the git repository {self._top.as_posix()}")
        return PurePosixPath(absolute.relative_to(self._top.resolve()).as_posix())

    def _write(self, place: PurePosixPath, copy: Path, limits: Limits | None) -> None:
        shown = f"{self._reference}:{place}"
        kind, mode, blob = self._entry(place)
        if kind != "blob":
            raise RevisionError(f"{shown}: there is no such file")
        if mode == _LINK:
            raise RevisionError(f"{shown}: is a symbolic link; name the file that it points to")
        size = int(self._ask(self._top, ["cat-file", "-s", blob]) or 0)
        if limits is not None and size > limits.max_file_bytes:
            raise RevisionError(f"{shown}: is larger than the limit max-file-bytes, {limits.max_file_bytes}")
        with copy.open("wb") as file:
            self._run(["cat-file", "blob", blob], file, shown)
        if size <= _LONGEST_POINTER and copy.read_bytes().startswith(_POINTER):
            self._smudge(copy, place, shown)

    def _smudge(self, copy: Path, place: PurePosixPath, shown: str) -> None:
        pointer = copy.read_bytes()
        advice = "install git-lfs and fetch the file (`git lfs fetch origin REF`), or give two files"
        if not self._ask(self._top, ["lfs", "version"]):
            raise RevisionError(f"{shown}: is kept in Git LFS, and git-lfs is not installed; {advice}")
        with copy.open("wb") as file:
            self._run(["lfs", "smudge", "--", str(place)], file, shown, pointer)
        with copy.open("rb") as file:
            if file.read(len(_POINTER)) == _POINTER:
                raise RevisionError(f"{shown}: Git LFS did not give the file (GIT_LFS_SKIP_SMUDGE?); {advice}")

    def _run(self, arguments: Sequence[str], output: BinaryIO, shown: str, given: bytes = b"") -> None:
        try:
            done = subprocess.run(
                [self._git, *arguments],
                cwd=self._top,
                input=given,
                stdout=output,
                stderr=subprocess.PIPE,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RevisionError(f"{shown}: git {arguments[0]} took longer than {_SECONDS} s") from None
        if done.returncode:
            reason = _reason(done.stderr) or f"exit code {done.returncode}"
            raise RevisionError(f"{shown}: git {arguments[0]} failed: {reason}")

    def _ask(self, folder: Path, arguments: Sequence[str]) -> str:
        """What git answers, empty where it says no."""
        done = subprocess.run([self._git, *arguments], cwd=folder, capture_output=True, check=False, timeout=_SECONDS)
        if done.returncode:
            return ""
        return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n\0")


def _reason(stderr: bytes) -> str:
    """The line that says what went wrong; Git LFS writes its progress in front of it."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", stderr.decode("utf-8", "replace")) if line.strip()]
    faults = [line for line in lines if re.match(r"(error|fatal|batch response)\b", line, re.IGNORECASE)]
    faults = faults or [line for line in lines if not re.match(r"(Down|Up)loading |Git LFS:", line)]
    return (faults or lines or [""])[0]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _external(model: Path, limits: Limits) -> Iterator[PurePosixPath]:
    """The files beside a model that hold its weights. Paths that lead elsewhere are for the verifier to refuse."""
    try:
        graph = read_model(model, limits).graph
    except ModelFileError:
        return  # the audit will say so
    locations = {
        tensor.payload.location
        for tensor in graph.initializers.values()
        if tensor.payload.kind is PayloadKind.EXTERNAL and tensor.payload.location
    }
    for location in sorted(locations):
        path = PurePosixPath(location)
        if not path.is_absolute() and ".." not in path.parts and path.parts and "\\" not in location:
            yield path
