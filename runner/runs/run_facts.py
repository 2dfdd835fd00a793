"""What is recorded of a run besides the events of its session, and who makes a report of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.protocol.json_fields import JsonObject
    from runner.runs.reporter import Reporter
    from runner.settings.profile import Profile


def facts_of(profile: Profile, names: Mapping[str, str]) -> JsonObject:
    """What the note of a session's beginning says of its profile: variables that are not secret, and files."""
    variables = {name: each.default or "" for name, each in profile.variables.items() if not each.secret}
    files: dict[str, list[str]] = {}
    for each in profile.outputs:
        if each.file_path:
            files.setdefault(each.kind, []).append(each.file_path.format_map(names))
    if profile.journal:
        files["journal"] = [profile.journal.path.format_map(names)]
    return {name: table for name, table in (("variables", variables), ("files", files)) if table}


def reporter_of(profile: Profile, names: Mapping[str, str], context: JsonObject) -> Reporter | None:
    """What makes the report of a run, where its profile wants one; without it nothing of it is imported."""
    if profile.report is None:
        return None
    from runner.runs.reporter import Reporter

    return Reporter(profile, names, {**context, **facts_of(profile, names)})
