"""A contender as a process: ``python -m benchmarks.peers NAME``.

The first line of standard input is the stage; each further one asks for something and is answered by one line
on standard output. When standard input ends, the contender does.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.peers.contender import Contender, Stage, Work
from benchmarks.peers.entries import ENTRIES


def answer(contender: Contender, asked: dict[str, Any]) -> dict[str, Any]:
    """Do what was asked."""
    what = asked.pop("do")
    started, cpu = time.monotonic(), time.process_time()
    if what == "numbers":
        contender.add_numbers(asked["keys"])
    elif what == "upload":
        contender.upload(Work(**{**asked, "keys": tuple(asked["keys"])}))
    else:
        return contender.more(what, **asked)
    return {"started": started, "cpu": time.process_time() - cpu}


def main() -> None:
    """Run until standard input ends."""
    # What libraries print must not stand between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    given = json.loads(sys.stdin.readline())
    stage = Stage(endpoint=given["endpoint"], folder=Path(given["folder"]), files=tuple(given["files"]))
    with ENTRIES[sys.argv[1]].start(stage) as contender:
        print(json.dumps({"processes": list(contender.processes())}), file=answers)
        for line in sys.stdin:
            print(json.dumps(answer(contender, json.loads(line))), file=answers)
    # Threads that still wait to send something are not waited for.
    answers.close()
    os._exit(0)


if __name__ == "__main__":
    main()
