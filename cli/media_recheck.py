"""`greenroom media recheck`: have all media IDs proved, as after a backup was put back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from cli.embedded_plan import installed_settings
from cli.formats import counted, say
from cli.installation import open_database
from cli.json_lines import print_json
from cli.options import CHANNEL, installation_options, json_option
from greenroom.clock import Clock, SystemClock
from models import Database
from models.channel import get_channel, list_channels
from models.life_rules import RulesOf
from models.rechecks import recheck_media
from tasks.refresh import follow_rules


@click.command()
@click.argument("channel_ids", nargs=-1, type=CHANNEL)
@click.option("--renew", is_flag=True, help="Upload what campaigns need anew, and ask the provider nothing.")
@json_option
@installation_options
def recheck(channel_ids: tuple[str, ...], *, renew: bool, as_json: bool, state: Path, sandbox: bool) -> None:
    """Have all media IDs of CHANNEL_IDS proved, or of all channels, as after a backup was put back.

    What campaigns need is looked up at the provider within the next minutes, and what is dead is uploaded
    anew. What nothing needs is deleted there.
    """
    with open_database(state, sandbox=sandbox) as database:
        with database.read() as connection:
            known = [row.id for row in list_channels(connection)]
            for channel_id in channel_ids:
                get_channel(connection, channel_id)
        rules_of = installed_settings(sandbox=sandbox).life_rules
        needed, unneeded = prove_media(
            database, channel_ids or known, rules_of=rules_of, clock=SystemClock(), renew=renew
        )
    if as_json:
        print_json(
            {"looked_up": 0 if renew else needed, "renewed": needed if renew else 0, "deleted": unneeded}
        )
        return
    will = "renewed" if renew else "looked up"
    say(f"{counted(needed, 'media ID')} will be {will}; {unneeded:,} that nothing needs will be deleted.")


def prove_media(
    database: Database, channel_ids: Iterable[str], *, rules_of: RulesOf, clock: Clock, renew: bool
) -> tuple[int, int]:
    """Have the channels' IDs proved, a part at a time; returns how many are needed, and how many are not."""
    # Otherwise the next tick may give them other moments, as it does where a setting is new.
    follow_rules(database, rules_of=rules_of, clock=clock)
    needed = unneeded = 0
    for channel_id in channel_ids:
        after: int | None = 0
        while after is not None:
            with database.write() as connection:
                part = recheck_media(connection, channel_id, after=after, now=clock.now(), renew=renew)
            needed, unneeded, after = needed + part.needed, unneeded + part.unneeded, part.last
    return needed, unneeded
