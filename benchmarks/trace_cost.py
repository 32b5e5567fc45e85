"""What traces cost an upload: processor time of a span for 25 files with an event for each, on and off.

``python -m benchmarks.trace_cost`` for off; with a collector's address for on. The sending is in it.
"""

from __future__ import annotations

import os
import sys
import time

from greenroom import tracing

FILES, FILES_A_SPAN = 20_000, 25


def record_uploads() -> None:
    """What an uploading worker tells, and nothing of what it does."""
    for _ in range(FILES // FILES_A_SPAN):
        with tracing.traced("record uploads", channel="4915112345678", files=FILES_A_SPAN):
            if tracing.tracing_is_on():
                for number in range(FILES_A_SPAN):
                    tracing.event("file", asset_id=number, media_id="1094408688491179", error=None)


def main() -> None:
    """Print microseconds a file."""
    if len(sys.argv) > 1:
        os.environ[tracing.ENDPOINTS[1]] = sys.argv[1]
    is_on = tracing.use("trace-cost", os.environ)
    # Once before: it loads the libraries.
    record_uploads()
    began = time.process_time()
    record_uploads()
    tracing.end()
    microseconds = (time.process_time() - began) / FILES * 1e6
    print(f"traces {'on' if is_on else 'off'}: {microseconds:.1f} microseconds of processor time a file")


if __name__ == "__main__":
    main()
