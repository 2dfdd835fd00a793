"""Rules about what is heard and what is played; `rules.py` has their codes."""

from collections.abc import Iterator

from runner.profile.keys import at
from runner.profile.tables import Finding, Tables
from runner.settings.input import Input, MicrophoneInput, NoInput, StdinInput, is_text
from runner.settings.output import SpeakerOutput, StdoutOutput
from runner.settings.profile import RealtimeSettings, TranscriptionSettings, is_live

_OF_AUDIO = ("rate", "trailing_silence_ms", "hearing_timeout_s", "mute_while_playing")


def text_into_audio(tables: Tables) -> Iterator[Finding]:
    """Lines of text for a session that only listens."""
    talks = isinstance(tables.session, RealtimeSettings) or is_live(tables.session)
    if tables.session and not talks and is_text(tables.input):
        hint = 'write input.kind = "file", or "microphone", or stdin with format = "audio"'
        problem = f"a {tables.session.type} session takes audio, not the text of [input]"
        yield ("session", "type"), problem, hint, "value"


def audio_only_key(tables: Tables) -> Iterator[Finding]:
    """A key for audio beside another format."""
    if isinstance(tables.input, StdinInput) and tables.input.format != "audio":
        for name in _OF_AUDIO:
            if name in tables.input.model_fields_set:
                yield ("input", name), 'only `format = "audio"` takes it', 'remove it, or write format = "audio"', "key"
    for index, output in enumerate(tables.outputs or ()):
        if isinstance(output, StdoutOutput) and output.format != "audio" and "pace" in output.model_fields_set:
            hint = 'remove it, or write format = "audio"'
            yield ("outputs", index, "pace"), 'only `format = "audio"` takes it', hint, "key"


def nothing_to_hear(tables: Tables) -> Iterator[Finding]:
    """Somewhere to play answers that have no sound."""
    session = tables.session
    if isinstance(session, RealtimeSettings) and session.output_modalities == ["text"]:
        problem, hint = "the session answers in text", 'write session.output_modalities = ["audio"]'
    elif isinstance(session, TranscriptionSettings):
        problem, hint = "a transcription session says nothing", "remove it"
    else:
        return
    for index, output in enumerate(tables.outputs or ()):
        if output.plays_answers and not output.records_input:
            yield ("outputs", index, "kind"), f"there is nothing to hear: {problem}", hint, "value"


def nothing_to_record(tables: Tables) -> Iterator[Finding]:
    """A recording of the input where no audio goes in."""
    silent = isinstance(tables.input, NoInput) or is_text(tables.input)
    for index, output in enumerate(tables.outputs or ()):
        if silent and output.records_input and not output.plays_answers:
            hint = 'write track = "output", or another [input]'
            yield ("outputs", index, "track"), "there is nothing to record: no audio goes in", hint, "value"


def transcript_one_sided(tables: Tables) -> Iterator[Finding]:
    """A transcript of a spoken conversation in which the user would be missing."""
    audio = tables.session.audio if isinstance(tables.session, RealtimeSettings) else None
    hearing = audio.input.transcription if audio and audio.input else None
    spoken = tables.input and (tables.input.kind in {"file", "microphone"} or _is_raw(tables.input))
    if not isinstance(tables.session, RealtimeSettings) or hearing is not None or not spoken:
        return
    for index, output in enumerate(tables.outputs or ()):
        if output.kind == "transcript":
            hint = 'write session.audio.input.transcription = { model = "gpt-transcribe" }'
            yield ("outputs", index, "kind"), "what the user says is not written down", hint, "value"


def _is_raw(given: Input) -> bool:
    return isinstance(given, StdinInput) and given.format == "audio"


def push_to_talk_turns(tables: Tables) -> Iterator[Finding]:
    """Push-to-talk beside turn detection, or in a session that listens all the time."""
    if not isinstance(tables.input, MicrophoneInput) or not tables.input.push_to_talk or tables.session is None:
        return
    key = ("session", "audio", "input", "turn_detection")
    if not isinstance(tables.session, RealtimeSettings):
        yield ("input", "push_to_talk"), f"a {tables.session.type} session listens all the time", "remove it", "key"
    elif at(tables.tree, key) != "none":
        hint = 'write session.audio.input.turn_detection = "none"'
        yield ("input", "push_to_talk"), "the endpoint would end turns too", hint, "key"


def speaker_shared(tables: Tables) -> Iterator[Finding]:
    """Two loudspeakers, or one for several sessions."""
    places = [index for index, output in enumerate(tables.outputs or ()) if isinstance(output, SpeakerOutput)]
    for index in places[1:]:
        yield ("outputs", index, "kind"), "another output plays the answers already", "remove one of them", "value"
    if places and tables.run and tables.run.sessions > 1:
        problem = f"{tables.run.sessions} sessions would speak at once"
        yield ("outputs", places[0], "kind"), problem, "write run.sessions = 1, or record to files", "value"


def samples_mixed(tables: Tables) -> Iterator[Finding]:
    """The samples of several sessions on one standard output."""
    for index, output in enumerate(tables.outputs or ()):
        if output.uses_stdout and output.plays_answers and tables.run and tables.run.sessions > 1:
            problem = f"the samples of {tables.run.sessions} sessions would mix"
            hint = 'write run.sessions = 1, or outputs of kind = "audio"'
            yield ("outputs", index, "format"), problem, hint, "value"
