"""Rules about where reports go; `rules.py` has their codes."""

from collections.abc import Iterator

from runner.profile.tables import Finding, Tables
from runner.settings.hosts import is_loopback


def report_nowhere(tables: Tables) -> Iterator[Finding]:
    """Reports that nobody gets, or a spool for nobody."""
    report = tables.report
    if report and report.path is None and report.webhook is None:
        yield ("report",), "goes nowhere", 'write path = "…", or a table [report.webhook]', "table"
    elif report and report.webhook is None and report.spool is not None:
        yield ("report", "spool"), "without a webhook nothing waits to be delivered", "remove it", "key"


def webhook_in_clear(tables: Tables) -> Iterator[Finding]:
    """Reports that go to another machine without TLS, which nobody has asked for."""
    webhook = tables.report.webhook if tables.report else None
    if webhook and webhook.url.scheme == "http" and not is_loopback(webhook.url.host or "") and not webhook.insecure:
        hint = "write https://, or on a network that is trusted as a whole insecure = true"
        yield (
            ("report", "webhook", "url"),
            "http:// to another machine can be read and changed on the way",
            hint,
            "value",
        )
