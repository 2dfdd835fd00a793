"""The traces of what a session does, for whoever collects them."""

from collections.abc import Mapping

from runner.api.strict import Section

_SUPPORTED = {
    "OTEL_TRACES_EXPORTER": ("otlp",),
    "OTEL_EXPORTER_OTLP_PROTOCOL": ("http/protobuf",),
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": ("http/protobuf",),
}


def unsupported_variable(environ: Mapping[str, str]) -> str:
    """What is wrong with the variables that say how spans are sent; nothing where they can be followed."""
    for name, values in _SUPPORTED.items():
        if (given := environ.get(name, "").strip()) and given not in values:
            return f"{name} is {given}, and spans are sent by {values[0]} only"
    return ""


class TracesSettings(Section):
    """Spans of responses and of calls of functions, sent by OTLP; the variables `OTEL_*` say where to and how."""

    enabled: bool = True
    """Whether there are any."""
    content: bool = False
    """Whether spans hold what was said, and the arguments and results of functions."""
