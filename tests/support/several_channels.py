"""A campaign on several channels, handed over and worked on by the tasks themselves."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from greenroom.task_names import TaskName
from tasks.dispatch import batches_from_json, claims_from_json, dispatch
from tasks.inspect import inspect
from tasks.submit import begin_submission, end_submission, submit
from tasks.upload import upload
from tests.support.world import CHANNEL, World

BERLIN, PARIS, ROME = CHANNEL, "33612345678", "393123456789"


def key_of(channel: str) -> str:
    """The API key of a channel."""
    return f"key-of-{channel}"


def plan(world: World, *channels: str, days: int = 60, **more: Any) -> dict[str, Any]:
    """A campaign on these channels."""
    fields: dict[str, Any] = world.campaign(days=days)
    del fields["channel"]
    return {**fields, "channels": channels, **more}


def items(*paths: Path) -> list[dict[str, str]]:
    """A manifest of these files."""
    return [{"ref": path.name, "source": str(path)} for path in paths]


def hand_over(world: World, campaign: dict[str, Any], *paths: Path, key: str) -> None:
    """Submit a whole manifest."""
    number = begin_submission(world.context, campaign, key)
    submit(world.context, campaign, items(*paths), number)
    end_submission(world.context, campaign["id"], number)


def judge(world: World) -> Counter[str]:
    """Let everything be inspected; what is to be uploaded then stays handed out."""
    dispatch(world.context)
    counts: Counter[str] = Counter()
    for message in handed_out(world, TaskName.INSPECT):
        counts.update(inspect(world.context, claims_from_json(message.args[0])))
    return counts


def work(world: World) -> Counter[str]:
    """Let everything be done that waits; returns how many files were accepted, uploaded and the like."""
    counts = judge(world)
    dispatch(world.context)
    for message in handed_out(world, TaskName.UPLOAD):
        counts.update(upload(world.context, batches_from_json(message.args[0])))
    return +counts


def handed_out(world: World, name: TaskName) -> list[Any]:
    """What is to be done by a task."""
    found = [message for message in world.published if message.name is name]
    world.published[:] = [message for message in world.published if message.name is not name]
    return found
