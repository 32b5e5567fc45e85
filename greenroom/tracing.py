"""Spans of OpenTelemetry, where somebody wants them; otherwise nothing of it is loaded.

Whoever starts a process calls :func:`use`. The exporter begins in each process with its first span, so it
survives no fork; it sends from a thread of its own, and drops what a collector does not take.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from greenroom.extras import needs

#: Where spans go; one of them turns tracing on. OpenTelemetry's other variables mean what they say there.
ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
#: Of a message, or a request, that say in which span it was sent (W3C Trace Context).
HEADERS: Final = ("traceparent", "tracestate")
#: Seconds that an export may take, and that the end of a process waits for the last one.
EXPORT_SECONDS: Final = 5
LAST_SPANS_SECONDS: Final = 3.0

_lock = threading.Lock()
_service: str | None = None
#: Of which process the provider is, and the provider.
_of_process: tuple[int, Any] = (0, None)


def use(service: str, environment: Mapping[str, str]) -> bool:
    """Trace from now on, if the environment says so.

    Args:
        service: what this process is called, unless ``OTEL_SERVICE_NAME`` says otherwise.
        environment: the process's own.

    Raises:
        SettingsError: it says so, and the extra `otel` is not installed.
    """
    global _service  # noqa: PLW0603 - a process is traced as a whole, as its log is
    disabled = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    wanted = any(environment.get(name) for name in ENDPOINTS) and not disabled
    if wanted and environment.get("OTEL_TRACES_EXPORTER", "otlp") == "otlp":
        with needs("otel", "Tracing"):
            from opentelemetry.sdk.trace import TracerProvider  # noqa: F401, PLC0415 - whether it is there
        _service = service
    else:
        _service = None
    return _service is not None


def tracing_is_on() -> bool:
    """Whether spans are made."""
    return _service is not None


@contextmanager
def traced(
    name: str, *, parent: Mapping[str, str] | None = None, kind: str = "INTERNAL", **attributes: Any
) -> Iterator[Any]:
    """A span for as long as the block runs; what fails there is noted by its type, and by nothing it says.

    Args:
        name: of few different ones.
        parent: headers of a message or a request, which may say what this belongs to; None for the span
            that this thread is in.
        kind: one of OpenTelemetry's.
        attributes: ``campaign_id=...`` becomes ``greenroom.campaign_id``; None is left out.
    """
    if _service is None:
        yield None
        return
    from opentelemetry import trace  # noqa: PLC0415 - only where it is wanted
    from opentelemetry.propagate import extract  # noqa: PLC0415 - as above

    tracer = _provider().get_tracer("greenroom")
    with tracer.start_as_current_span(
        name,
        context=None if parent is None else extract(_texts(parent)),
        kind=trace.SpanKind[kind],
        attributes=_named(attributes),
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except Exception as error:
            current.set_attribute("error.type", type(error).__name__)
            current.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise


def event(name: str, **attributes: Any) -> None:
    """Something that happened within the span of this thread; of one span, the newest 128 are kept."""
    if _service is not None:
        from opentelemetry import trace  # noqa: PLC0415 - only where it is wanted

        trace.get_current_span().add_event(name, _named(attributes))


def here() -> dict[str, str]:
    """Headers that say in which span this thread is; none where nothing is traced."""
    found: dict[str, str] = {}
    if _service is not None:
        from opentelemetry.propagate import inject  # noqa: PLC0415 - only where it is wanted

        inject(found)
    return found


def trace_id() -> str | None:
    """That of the span that this thread is in, as logs have it; None outside of any."""
    if _service is None:
        return None
    from opentelemetry import trace  # noqa: PLC0415 - only where it is wanted

    known = trace.get_current_span().get_span_context()
    return trace.format_trace_id(known.trace_id) if known.is_valid else None


def end() -> None:
    """Send what there is, and wait no longer than :data:`LAST_SPANS_SECONDS`: a collector may be away."""
    global _of_process
    with _lock:
        (process, provider), _of_process = _of_process, (0, None)
    if provider is None or process != os.getpid():
        return
    ending = threading.Thread(target=provider.shutdown, name="last spans", daemon=True)
    ending.start()
    ending.join(LAST_SPANS_SECONDS)


def _provider() -> Any:
    global _of_process  # noqa: PLW0603 - as above
    if _of_process[0] == os.getpid():
        return _of_process[1]
    with _lock:
        if _of_process[0] != os.getpid():
            _of_process = (os.getpid(), _made())
    return _of_process[1]


def _made() -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - only where it is wanted
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above

    # It says of each export that fails that it did.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    resource = Resource.create({SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME") or str(_service)})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=EXPORT_SECONDS)))
    return provider


def _named(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {f"greenroom.{name}": value for name, value in attributes.items() if value is not None}


def _texts(headers: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if isinstance(value, str)}
