"""What a Live session has once it has started."""

from collections.abc import Callable, Iterable

from runner.api.live_events import CommentaryAppend, ContextAppend, InstructionsAppend
from runner.local.session.decision_maker import DecisionMaker
from runner.local.session.jobs import Job, ModelJob
from runner.local.session.live_config import MAX_CONTEXT_TOKENS, LiveConfig, check_tokens
from runner.local.session.live_conversation import LiveConversation
from runner.local.session.live_hearing import LiveHearing
from runner.local.session.live_mind import LiveMind
from runner.local.session.live_speech import LiveSpeech
from runner.local.session.server_event import ServerEvent, answer_to
from runner.local.speech.engines import Engines
from runner.settings.faults import ResponseFailedFault


class LiveLife:
    """A session that has started: its conversation, what it hears and says, and the mind between them.

    Args:
        engines: What it transcribes, answers and speaks with.
        config: Its configuration.
        texts: The conversation so far, each message by its role and its text.
        assign: Called with each job that comes up.
        now_ms: The time of the session, in milliseconds.
        heard: Called with the words of each turn and its length in seconds; returns the events that follow.
        failure: The fault of the next delegated response, if it has one.
    """

    def __init__(
        self,
        engines: Engines,
        config: LiveConfig,
        texts: Iterable[tuple[str, str]],
        *,
        assign: Callable[[Job | ModelJob], None],
        now_ms: Callable[[], float],
        heard: Callable[[str, float], list[ServerEvent]],
        failure: Callable[[], ResponseFailedFault | None],
    ) -> None:
        self.config = config
        self.conversation = LiveConversation(texts)
        self.decisions = DecisionMaker(config)
        show = self.decisions.follow
        self.hearing = LiveHearing(engines.speech.transcriber, assign=assign, show=show, then=heard)
        self.speech = LiveSpeech(
            config.audio_format, is_slow=engines.speech.is_slow, assign=assign, note=self.conversation.go_on, show=show
        )
        self.mind = LiveMind(
            engines,
            config,
            self.conversation,
            self.speech,
            assign=assign,
            now_ms=now_ms,
            failure=failure,
            decide=self.decisions.decide,
        )
        self._now_ms = now_ms

    def tell(self, append: ContextAppend) -> list[ServerEvent]:
        """The client tells the model something; returns the event that confirms it, and what follows.

        Raises:
            ApiError: It is too long, or belongs to no delegation.
        """
        check_tokens(append.content, MAX_CONTEXT_TOKENS, "content")
        self.mind.check_delegation(append.delegation_id)
        kind, follows = "thinking", list[ServerEvent]()
        if isinstance(append, CommentaryAppend):
            kind = "commentary"
            self.mind.comment(append.content)
        elif isinstance(append, InstructionsAppend):
            kind = "instructions"
            follows = self.mind.instruct(append.content)
        else:
            self.mind.think(append.content)
        at_ms = int(self._now_ms())
        return [answer_to(append, f"session.{kind}.appended", start_ms=at_ms, end_ms=at_ms), *follows]
