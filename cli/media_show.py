"""`greenroom media show`: what is known of a media ID, at the provider and here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cli.formats import console, moment, plain
from cli.json_lines import print_json
from cli.media_rows import coloured_state, media_as_json
from cli.options import id_channel_option, installation_options, json_option
from cli.provider_access import open_retrieval
from cli.tables import FileName, plain_table
from greenroom.errors import MediaGone
from greenroom.figures import human_size
from greenroom.provider.values import MediaLocation
from models.media_reports import MediaReport, media_named
from models.references import campaigns_that_need


@dataclass(frozen=True, kw_only=True)
class KnownMedia:
    """A media ID.

    Attributes:
        media_id: which.
        channel_id: whose.
        found: what the provider said.
        here: what is known of it here; nothing where it is not known.
        needed_by: campaigns that need it.
        at: when that was so.
    """

    media_id: str
    channel_id: str
    found: MediaLocation | MediaGone
    here: Sequence[MediaReport]
    needed_by: Sequence[str]
    at: datetime

    def as_json(self) -> dict[str, Any]:
        """All of it, for programs."""
        found, there = self.found, None
        if isinstance(found, MediaLocation):
            there = {"mime_type": found.mime_type, "size": found.size, "sha256": found.sha256}
        return {
            "media_id": self.media_id,
            "channel": self.channel_id,
            "there": there,
            "why_gone": None if isinstance(found, MediaLocation) else str(found),
            "here": [media_as_json(row, self.at) for row in self.here],
            "needed_by": self.needed_by,
        }

    def show(self) -> None:
        """The same for people."""
        table = plain_table()
        table.show_header = False
        for _ in ("name", "value"):
            table.add_column(overflow="fold")
        table.add_row("Media ID", plain(self.media_id))
        table.add_row("Channel", plain(self.channel_id))
        if isinstance(self.found, MediaGone):
            table.add_row("At the provider", f"[red]gone[/red]: {plain(self.found)}")
        else:
            size = "" if self.found.size is None else f", {human_size(self.found.size)}"
            table.add_row("At the provider", f"[green]there[/green]: {plain(self.found.mime_type)}{size}")
            table.add_row("SHA-256", self.found.sha256 or "not said")
        for row in self.here:
            table.add_row("File", FileName(row.file_name))
            table.add_row("Uploaded", moment(row.uploaded_at))
            table.add_row("Last used", moment(row.last_used_at) or "never")
            table.add_row("Expires", moment(row.expires_at))
            table.add_row("State", coloured_state(row, self.at))
            table.add_row("Needed by", ", ".join(map(plain, self.needed_by)) or "no campaign")
        if not self.here:
            table.add_row("Here", "not known")
        console.print(table)


@click.command("show")
@click.argument("media_id")
@id_channel_option
@json_option
@installation_options
def show_media(media_id: str, *, channel: str | None, as_json: bool, state: Path, sandbox: bool) -> None:
    """Ask the provider about MEDIA_ID, and show what is known of it there and here.

    Exit code 1: the provider does not have it.
    """
    with open_retrieval(state, sandbox=sandbox, channel=channel, media_id=media_id) as retrieval:
        found: MediaLocation | MediaGone
        try:
            found = retrieval.look_up(media_id)
        except MediaGone as error:
            found = error
        now = datetime.now(UTC)
        with retrieval.database.read() as connection:
            here = media_named(connection, media_id, channel_id=retrieval.channel_id)
            needed_by = [
                name for row in here for name in campaigns_that_need(connection, row.asset_id, now=now)
            ]
    known = KnownMedia(
        media_id=media_id,
        channel_id=retrieval.channel_id,
        found=found,
        here=here,
        needed_by=needed_by,
        at=now,
    )
    if as_json:
        print_json(known.as_json())
    else:
        known.show()
    if isinstance(found, MediaGone):
        raise click.exceptions.Exit(1)
