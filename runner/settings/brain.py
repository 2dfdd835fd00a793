"""What answers in the local endpoint."""

from typing import Annotated, Literal

from pydantic import Field

from runner.api.strict import Section
from runner.settings.base_url import BaseUrl
from runner.settings.secret import SecretRef


class RulesBrain(Section):
    """Answers by rules: the script, else an echo."""

    kind: Literal["rules"]


class ChatBrain(Section):
    """Answers by a language model behind a server of OpenAI's chat completions, such as Ollama, vLLM or LM Studio."""

    kind: Literal["chat"]
    base_url: BaseUrl
    """The base to which `/chat/completions` is added, such as `http://127.0.0.1:11434/v1` for Ollama."""
    model: Annotated[str, Field(min_length=1, max_length=256)]
    """The model, as the server calls it."""
    api_key: SecretRef | None = None
    """A key for the server, sent as a bearer token; servers on this machine usually want none."""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 120.0
    """The longest silence of the server, in seconds; many load the model first, and are silent meanwhile."""
    insecure: bool = False
    """Allow plain `http://` to another machine, on a network that is trusted as a whole: the key and all that is said
    can be read on the way."""


Brain = Annotated[RulesBrain | ChatBrain, Field(discriminator="kind")]
