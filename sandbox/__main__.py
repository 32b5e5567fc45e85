"""``python -m sandbox --port N``: run a sandbox from the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sandbox.error_responses import Envelope
from sandbox.latency import Latency
from sandbox.server import Options, serve
from sandbox.store import StateInUse


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; returns with the exit code."""
    options = _options(_parser().parse_args(arguments))
    try:
        serve(options)
    except (OSError, StateInUse) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="A server that behaves as 360dialog's page on media says."
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 (default) takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--latency", type=_latency, default=Latency(), help="0 (default), 80ms, or a range as 50ms-1500ms"
    )
    parser.add_argument("--state", type=Path, help="directory that keeps media over a restart")
    parser.add_argument(
        "--api-key", action="append", default=[], metavar="KEY", help="know only this key; may be repeated"
    )
    parser.add_argument(
        "--throttle-answer",
        type=Envelope,
        choices=list(Envelope),
        default=Envelope.META,
        help="how an upload too many is refused: meta (HTTP 429, default) or 360dialog (its HTTP 400)",
    )
    parser.add_argument(
        "--count-failed-uploads",
        action="store_true",
        help="uploads answered with an error count for the rule of five failed requests, too",
    )
    return parser


def _latency(text: str) -> Latency:
    try:
        return Latency.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _options(given: argparse.Namespace) -> Options:
    return Options(
        host=given.host,
        port=given.port,
        latency=given.latency,
        state=given.state,
        api_keys=tuple(given.api_key),
        throttle_answer=given.throttle_answer,
        count_failed_uploads=given.count_failed_uploads,
    )


if __name__ == "__main__":
    sys.exit(main())
