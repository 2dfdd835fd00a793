"""The engines of an endpoint: rules, or models where the settings ask for them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from runner.local.speech.interfaces import SpeechEngines
from runner.local.speech.language_model import LanguageModel
from runner.local.speech.loudness import LoudnessDetector
from runner.local.speech.replies import Replies
from runner.local.speech.tones import SyntheticVoice, ToneTranscriber
from runner.settings.endpoint import LocalEndpoint

_NOTICES: Final = {
    (True, False): "The session is simulated: answers come from rules, not from a model.",
    (False, False): "Speech is understood and spoken by models on this machine; apart from that the session is "
    "simulated: answers come from rules, not from a model.",
    (True, True): "Answers come from a language model; speech is simulated by tones.",
    (False, True): "Speech is understood and spoken by models on this machine, and answers come from a language model; "
    "the rest is simulated.",
}


@dataclass(frozen=True)
class Engines:
    """The engines that all sessions of an endpoint share.

    Args:
        replies: The rules; their script takes precedence over the language model.
        speech: The engines of speech.
        new_language_model: Makes the model that answers one session where the script does not; None for the rules.
    """

    replies: Replies
    speech: SpeechEngines
    new_language_model: Callable[[], LanguageModel] | None = None

    @property
    def notice(self) -> str:
        """The default instructions in `session.created`, which say what is simulated."""
        what = _NOTICES[self.speech.simulated, self.new_language_model is not None]
        return f"This is the local endpoint of rt-run. {what}"


def engines_for(settings: LocalEndpoint, brain_key: str | None = None) -> Engines:
    """Make the engines that the settings ask for; this loads models, which takes seconds.

    Args:
        settings: What is asked for.
        brain_key: The key for the language model's server, where it wants one.

    Raises:
        ProfileError: A package that they need is not installed.
    """
    new_language_model: Callable[[], LanguageModel] | None = None
    if settings.brain.kind == "chat":
        from runner.local.speech.chat_model import ChatModel

        new_language_model = partial(ChatModel, settings.brain, brain_key)
    return Engines(Replies(settings.script), speech_for(settings), new_language_model)


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
