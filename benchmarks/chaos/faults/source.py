"""Web servers that files come from: they hang, or are away, and files from elsewhere do not wait for them."""

from __future__ import annotations

import time

from benchmarks.chaos.campaign import Wave, plan_of
from benchmarks.chaos.run import RECOVERY_SECONDS, Problem, Run, fault
from benchmarks.chaos.services import until
from benchmarks.chaos.serving import Trouble

#: Seconds of trouble: no whole patience of Greenroom's, which is a minute without a byte.
TROUBLED_SECONDS = 40.0
#: The most seconds that a file is left alone after that: as long as it has failed, and a quarter.
LONGEST_PAUSE = TROUBLED_SECONDS * 1.25
#: The most seconds until files of this machine are ready that are handed over meanwhile. A number of
#: which nothing is known waits for 5, and the pace asks for 3.
OTHERS_SECONDS = 15.0


def troubled(name: str, trouble: Trouble) -> None:
    """A server is so for a while; files of a folder are handed over meanwhile."""

    @fault("source", name, fetched=True, recovers=RECOVERY_SECONDS + LONGEST_PAUSE)
    def break_it(run: Run) -> None:
        with run.source.troubled(trouble):
            until(lambda: run.second.accepted == run.second.waves, "files to fetch are handed over")
            asked = run.source.asked
            until(lambda: trouble is Trouble.AWAY or run.source.asked > asked, "some are asked for")
            began_at = time.monotonic()
            fresh = run.add_channel("local")
            local = Wave(plan=plan_of(f"{fresh.id}-third", fresh), files=run.files[: run.fault.first])
            run.third.begin([local])
            try:
                until(
                    lambda: bool(run.third.accepted) and run.missing([local]) == 0,
                    "files that are not fetched are ready",
                    patience=TROUBLED_SECONDS,
                )
            finally:
                seconds = time.monotonic() - began_at
                time.sleep(max(0.0, TROUBLED_SECONDS - seconds))
        run.notes.append(f"files of a folder were ready after {seconds:.1f} s meanwhile")
        if seconds > OTHERS_SECONDS:
            raise Problem(f"files of a folder were ready after {seconds:.0f} s")


troubled("its server hangs for 40 s", Trouble.HANGS)
troubled("its server is away for 40 s", Trouble.AWAY)
troubled("its server breaks off for 40 s", Trouble.BREAKS_OFF)
