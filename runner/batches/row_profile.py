"""The profile as a row runs it: the row's values and input, and nothing on standard output."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.api.session_types import TALKING
from runner.errors import InputError
from runner.profile.filling import missing_values, with_values
from runner.profile.problems import Problem, ProfileProblems, problem_at
from runner.runs.lone_run import lone_profile
from runner.settings.input import FileInput, QuestionInput
from runner.settings.output import placeholders_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.batches.batch_row import BatchRow
    from runner.profile.keys import Key
    from runner.profile.load import LoadedProfile
    from runner.settings.profile import Profile

_DISTINCT = frozenset({"row", "run_id", "started"})
"""The placeholders that no two runs of rows share; `session` is the line of a row."""


def row_profile(loaded: LoadedProfile, row: BatchRow) -> LoadedProfile:
    """The profile of a row's session.

    Args:
        loaded: The batch's profile.
        row: The row.

    Raises:
        ProfileProblems: The row gives a variable that there is not or a value that does not fit, or lacks one.
        InputError: The session does not take what the row says.
    """
    profile = _with_values_of(loaded, row)
    changed = lone_profile(
        profile,
        until="response-done" if profile.run.until == "response-done" else "input-end",
        input=_input(profile, row),
        # What is said stands in the results; a loudspeaker for all rows at once would be a noise.
        outputs=[each for each in profile.outputs if each.file_path],
    )
    return replace(loaded, profile=changed)


def _with_values_of(loaded: LoadedProfile, row: BatchRow) -> Profile:
    profile = with_values(loaded.profile, row.variables) if row.variables else loaded.profile
    if missing := missing_values(profile):
        raise ProfileProblems(missing)
    return profile


def shared_file_problems(loaded: LoadedProfile, *, repeat: int = 1) -> list[Problem]:
    """A problem for each file that every row would write, or all runs of a row where they are repeated."""
    known = _DISTINCT if repeat > 1 else {*_DISTINCT, "session", *loaded.profile.variables}
    told = "every row would write this file" if repeat == 1 else "all runs of a row would write this file"
    return [
        problem_at(loaded.origins.place(key), key, told, "put {row} into its name", code="rows-share-file")
        for key, names in _names_in_paths(loaded.profile)
        if not known & names
    ]


def told_apart_by_values(profile: Profile) -> list[tuple[str, list[str]]]:
    """The paths of files that nothing but values of variables tells apart, each by its key, with the variables."""
    known = {*_DISTINCT, "session"}
    return [
        (".".join(map(str, key)), sorted(names & {*profile.variables}))
        for key, names in _names_in_paths(profile)
        if not known & names
    ]


def _names_in_paths(profile: Profile) -> Iterator[tuple[Key, set[str]]]:
    """The keys of the paths of files that a session writes, each with the placeholders in it."""
    paths: list[tuple[Key, str | None]] = [
        (("outputs", index, "path"), each.file_path) for index, each in enumerate(profile.outputs)
    ]
    paths.append((("journal", "path"), profile.journal.path if profile.journal else None))
    return ((key, {*placeholders_in(path)}) for key, path in paths if path and not path.startswith("/dev/"))


def _input(profile: Profile, row: BatchRow) -> QuestionInput | FileInput:
    if row.text is not None:
        if profile.session.type not in TALKING:
            msg = f"input: a {profile.session.type} session takes audio, not text"
            raise InputError(msg, hint='"input": {"file": "…"}, and in CSV the column input_file')
        return QuestionInput(kind="question", question=row.text)
    if row.file is not None:
        path = Path(row.file)
        if isinstance(profile.input, FileInput):
            return profile.input.model_copy(update={"path": path})
        return FileInput(kind="file", path=path)
    if isinstance(profile.input, QuestionInput | FileInput):
        return profile.input
    msg = f"input is missing, and the profile's own is {profile.input.kind}"
    raise InputError(msg, hint="a row says what is asked or heard, unless the profile has a question or a recording")


def row_problems(loaded: LoadedProfile, row: BatchRow) -> Iterator[tuple[str, str]]:
    """What keeps a row from being run, each with what to do about it."""
    try:
        _input(_with_values_of(loaded, row), row)
    except ProfileProblems as error:
        for each in error.problems:
            yield f"{each.key}: {each.problem}" if each.key else each.problem, each.hint
    except InputError as error:
        yield error.message, error.hint
    # Path.is_file() raises where a name is too long.
    if row.file is not None and not os.path.isfile(row.file):  # noqa: PTH113
        yield f"there is no file {row.file}", "a relative path starts at the file of rows"
