"""Rules about how a call begins and what becomes of silence in it; `rules.py` has their codes."""

from collections.abc import Iterator

from runner.profile.keys import at
from runner.profile.tables import Finding, Tables
from runner.settings.input import MicrophoneInput, StdinInput
from runner.settings.profile import RealtimeSettings, is_live


def greeting_words(tables: Tables) -> Iterator[Finding]:
    """A greeting that says nothing, or two things."""
    greeting = tables.greeting
    if not greeting:
        return
    if greeting.text is None and greeting.prompt is None:
        hint = 'write text = "…", or prompt = "…" for one that the model makes'
        yield ("greeting",), "says nothing", hint, "table"
    elif greeting.prompt is not None and (greeting.text is not None or greeting.audio is not None):
        other = "text" if greeting.text is not None else "audio"
        yield ("greeting", "prompt"), f"the greeting has its words already, in `{other}`", "remove one of them", "key"
    elif greeting.audio is not None and greeting.text is None:
        yield ("greeting", "audio"), "the conversation has to know what it says", "write it as `text` too", "key"


def greeting_unsupported(tables: Tables) -> Iterator[Finding]:
    """A greeting where nobody would hear it."""
    session = tables.session
    if not tables.greeting or not session:
        return
    if not (isinstance(session, RealtimeSettings) or is_live(session)):
        yield ("greeting",), f"a {session.type} session has nothing to say", "remove it", "table"
    elif (
        tables.greeting.audio is not None
        and isinstance(session, RealtimeSettings)
        and session.output_modalities == ["text"]
    ):
        hint = 'remove it, or write session.output_modalities = ["audio"]'
        yield ("greeting", "audio"), "the session answers in text", hint, "key"


def greeting_after(tables: Tables) -> Iterator[Finding]:
    """A greeting that waits for speech which nothing hears."""
    if tables.greeting and tables.greeting.after != "ready" and is_live(tables.session):
        problem = "a Live model answers the first words itself"
        yield ("greeting", "after"), problem, 'write after = "ready"', "value"
    if not tables.greeting or tables.greeting.after == "ready" or not isinstance(tables.session, RealtimeSettings):
        return
    problem = ""
    if isinstance(tables.input, StdinInput) and tables.input.format == "text":
        problem = "lines of text are no speech to wait for"
    elif isinstance(tables.input, MicrophoneInput) and tables.input.push_to_talk:
        problem = "with push-to-talk the answer is asked for at once"
    elif at(tables.tree, ("session", "audio", "input", "turn_detection")) == "none":
        problem = "without turn detection nothing hears when the user speaks"
    if problem:
        yield ("greeting", "after"), problem, 'write after = "ready"', "value"


def idle_unsupported(tables: Tables) -> Iterator[Finding]:
    """Check-ins of a session that says nothing."""
    session = tables.session
    if tables.idle and session and not (isinstance(session, RealtimeSettings) or is_live(session)):
        hint = "remove it, or write run.limits.max_idle_s"
        yield ("idle",), f"a {session.type} session has nothing to say", hint, "table"


def idle_cut_short(tables: Tables) -> Iterator[Finding]:
    """A limit on silence that ends the session before the first check-in."""
    limit_s = tables.run.limits.max_idle_s if tables.run else None
    if tables.idle and limit_s is not None and limit_s <= tables.idle.after_s:
        problem = f"ends the session before [idle] says anything, after {tables.idle.after_s:g} s"
        yield ("run", "limits", "max_idle_s"), problem, "make it longer than idle.after_s, or remove it", "value"
