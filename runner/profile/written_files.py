"""Where a session writes, and what stands there already that is no file, or no folder for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from runner.profile.keys import Key, at
from runner.profile.problems import Problem, problem_at

if TYPE_CHECKING:
    from runner.profile.load import LoadedProfile

_FILES: tuple[Key, ...] = (("journal", "path"), ("report", "path"), ("run", "resume", "path"))
_FOLDERS: tuple[Key, ...] = (("report", "spool"),)


def unwritable_here(loaded: LoadedProfile) -> Iterator[Problem]:
    """A warning for each file that cannot be written because a folder has its name, or a file that of its folder."""
    outputs: list[Key] = [("outputs", index, "path") for index, _ in enumerate(loaded.profile.outputs)]
    tree = loaded.profile.model_dump(mode="json", include={"outputs", "journal", "report", "run"})
    for key in (*outputs, *_FILES, *_FOLDERS):
        path = at(tree, key)
        if isinstance(path, str) and (
            problem := _problem(path.replace("{profile}", loaded.name), is_folder=key in _FOLDERS)
        ):
            place = loaded.origins.place(key)
            hint = "name a file in it" if problem.endswith("a folder") else "name another place"
            yield problem_at(place, key, f"{problem} on this machine", hint, code="path-taken")


def _problem(path: str, *, is_folder: bool) -> str:
    """Why no file, or no folder, can be made there; nothing where none of that can be told."""
    known = Path(path.partition("{")[0] + "x").parent if "{" in path else Path(path)
    try:
        if "{" not in path and known.exists():
            if is_folder:
                return "" if known.is_dir() else f"{path} is a file"
            # A device or a pipe can be written, too.
            return f"{path} is a folder" if known.is_dir() else ""
        there = next(each for each in (known, *known.parents) if each.exists())
        return "" if there.is_dir() else f"{there} is a file"
    except (OSError, ValueError):
        return ""
