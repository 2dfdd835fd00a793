"""What is told of a session when it has ended, and to whom."""

from typing import Annotated

from pydantic import Field

from runner.api.strict import Section
from runner.settings.base_url import WebUrl
from runner.settings.output import PathTemplate
from runner.settings.secret import SecretRef


class WebhookSettings(Section):
    """An address that gets each report by HTTP POST, signed as Standard Webhooks have it."""

    url: WebUrl
    """The address; redirects are not followed."""
    secret: SecretRef
    """What the signature is made with: `whsec_` and base64, or a text as it is."""
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0
    """How long one attempt may take, in seconds."""
    insecure: bool = False
    """Allow plain `http://` to other machines, on a network that is trusted as a whole."""


class ReportSettings(Section):
    """One JSON object for each session, told when it has ended; `schemas/report.schema.json` describes it."""

    path: PathTemplate | None = None
    """A file that gets a line for each report; may contain the placeholders of an output's path; folders are made."""
    webhook: WebhookSettings | None = None
    """An address that gets each report, at least once."""
    spool: Annotated[str, Field(min_length=1)] | None = None
    """The folder where reports wait to be delivered; by default `$STATE_DIRECTORY/spool`, else
    `~/.local/state/rt-run/spool` (under `$XDG_STATE_HOME` where it is set)."""
    max_spool_bytes: Annotated[int, Field(ge=1 << 20)] = 64 * 1024 * 1024
    """How much of a profile's reports may wait, in bytes; beyond that a run fails with exit code 74."""
