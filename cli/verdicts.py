"""What inspection said of files, as JSON lines and in words; loads neither tables nor tasks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from cli.fixing import FileFix
from cli.json_lines import json_line
from greenroom.verdict import Verdict

#: A longer table is cut; the CSV has all lines.
MOST_LINES = 60


def verdict_as_json(path: Path, judged: Verdict, fixing: FileFix | None = None) -> str:
    """One line of `greenroom check --json`; with `--fix`, what came of it beside the contract's fields."""
    return json_line(
        {
            "path": str(path),
            "verdict": "accepted" if judged.accepted else "rejected",
            "category": judged.category,
            "mime_type": judged.mime_type,
            "size": judged.size,
            "sha256": judged.sha256,
            "reason": judged.reason,
            "detail": judged.detail,
            # Only where there is something to say: the other lines keep the contract's fields.
            **({"notices": [asdict(notice) for notice in judged.notices]} if judged.notices else {}),
            **(
                {
                    "fixed_path": str(fixing.path) if fixing.path else None,
                    "fixed_sha256": fixing.sha256,
                    "fixed": fixing.steps,
                    "not_fixed": fixing.problem,
                }
                if fixing is not None
                else {}
            ),
        }
    )
