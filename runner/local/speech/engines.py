"""The engines of an endpoint: rules, or models where the settings ask for them."""

from dataclasses import dataclass
from typing import Final, Protocol

from runner.local.speech.interfaces import SpeechEngines
from runner.local.speech.loudness import LoudnessDetector
from runner.local.speech.replies import Replies
from runner.local.speech.tones import SyntheticVoice, ToneTranscriber
from runner.settings.endpoint import LocalEndpoint

_NOTICES: Final = {
    (True, False): "The session is simulated: answers come from rules, not from a model.",
    (False, False): "Speech is understood and spoken by models on this machine; apart from that the session is "
    "simulated: answers come from rules, not from a model.",
    (True, True): "Answers come from a small language model on this machine; speech is simulated by tones.",
    (False, True): "Speech and answers come from small models on this machine; the rest is simulated.",
}


class LanguageModel(Protocol):
    """A language model; it is slow, so that its caller is a worker thread."""

    def answer(self, messages: list[dict[str, str]]) -> str:
        """Answer a conversation whose messages have a `role` and a `content`; returns the next message's content."""


@dataclass(frozen=True)
class Engines:
    """The engines that all sessions of an endpoint share.

    Args:
        replies: The rules; their script takes precedence over the language model.
        speech: The engines of speech.
        language_model: The model that answers where the script does not, or None for the rules.
    """

    replies: Replies
    speech: SpeechEngines
    language_model: LanguageModel | None = None

    @property
    def notice(self) -> str:
        """The default instructions in `session.created`, which say what is simulated."""
        what = _NOTICES[self.speech.simulated, self.language_model is not None]
        return f"This is the local endpoint of rt-run. {what}"


def engines_for(settings: LocalEndpoint) -> Engines:
    """Make the engines that the settings ask for; this loads models, which takes seconds.

    Raises:
        ProfileError: A package that they need is not installed.
    """
    language_model: LanguageModel | None = None
    if settings.brain.kind == "llm":
        from runner.local.speech.llm import LlamaModel

        language_model = LlamaModel(settings.brain)
    return Engines(Replies(settings.script), speech_for(settings), language_model)


def needs_models(settings: LocalEndpoint) -> bool:
    """Whether the settings ask for models, so that `engines_for` takes seconds."""
    return settings.speech == "models" or settings.brain.kind == "llm"


def speech_for(settings: LocalEndpoint) -> SpeechEngines:
    """Make the engines of speech that the settings ask for.

    Raises:
        ProfileError: A package that they need is not installed.
    """
    if settings.speech == "models":
        from runner.local.speech.speech_models import load

        return load()
    return SpeechEngines(
        new_detector=LoudnessDetector,
        transcriber=ToneTranscriber(),
        voice=SyntheticVoice(),
        is_slow=False,
        simulated=True,
    )
