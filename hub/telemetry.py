"""Whether this site has a collector, and what speaks to it: the one place that loads the extra."""

from hub.errors import Code, Fault, Misconfigured
from hub.tracing import Traces


def traces_to(url: str | None) -> Traces | None:
    """Return where spans go; ``None`` where the site has no collector, `Misconfigured` where the
    extra that speaks to one is not installed.
    """
    if url is None:
        return None
    try:
        from hub.spans import Spans  # noqa: PLC0415 - an extra: imported where it is wanted
    except ModuleNotFoundError as missing:
        fault = Fault(Code.CONFIGURATION, "ECAF_TRACES_URL", "pip install 'ecaf-hub[otel]'")
        raise Misconfigured(
            Code.CONFIGURATION, "OpenTelemetry is not installed", [fault]
        ) from missing
    return Spans(url)
