"""Rules about the state from which another process goes on; `rules.py` has their codes."""

from collections.abc import Iterator

from runner.profile.keys import Key, at
from runner.profile.tables import Finding, Tables
from runner.settings.output import placeholders_in

_PATH: Key = ("run", "resume", "path")
_OF_ONE_RUN = frozenset({"run_id", "started"})


def resume_placeholder(tables: Tables) -> Iterator[Finding]:
    """A state in a file that no later run would look for."""
    path = at(tables.tree, _PATH)
    try:
        used = placeholders_in(path) if isinstance(path, str) else []
    except ValueError:
        return
    for name in sorted(_OF_ONE_RUN.intersection(used)):
        problem = f"{{{name}}} has another value in every run, which would never find the state of the one before"
        yield _PATH, problem, "use {profile}, {session} or a variable", "value"


def resume_unsupported(tables: Tables) -> Iterator[Finding]:
    """A state of a session that no connection can go on with."""
    resume = tables.run.resume if tables.run else None
    if resume and tables.session and tables.session.type != "realtime":
        problem = f"a {tables.session.type} session does not go on in another process"
        yield ("run", "resume"), problem, "remove it", "table"


def resume_without_history(tables: Tables) -> Iterator[Finding]:
    """A state of which no connection would learn anything."""
    run = tables.run
    if run and run.resume:
        for name in ("max_items", "max_tokens"):
            if getattr(run.history, name) == 0:
                problem = "a session that goes on from [run.resume] would know nothing of its conversation"
                yield ("run", "history", name), problem, "raise it", "value"
                break
