"""`greenroom campaign explain`: one file's whole story, from the hand-over to the end of its media ID."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from cli.embedded_plan import installed_settings
from cli.explain import headlines, sentences, story_as_json
from cli.formats import console, plain
from cli.installation import open_database
from cli.json_lines import print_json
from cli.options import CAMPAIGN, installation_options, json_option
from cli.tables import FileName
from greenroom.sources import unsigned
from models.campaign_readiness import upload_rates
from models.item_story import item_story


@click.command()
@click.argument("campaign_id", type=CAMPAIGN)
@click.argument("ref")
@json_option
@installation_options
def explain(campaign_id: str, ref: str, *, as_json: bool, state: Path, sandbox: bool) -> None:
    """Tell what became of REF, one file of CAMPAIGN_ID, what it waits for, and what comes.

    Where there is no such REF, the nearest ones are named.
    """
    now = datetime.now(UTC)
    with open_database(state, sandbox=sandbox) as database, database.read() as connection:
        settings = installed_settings(sandbox=sandbox)
        story = item_story(connection, campaign_id, ref, now=now, rules_of=settings.life_rules)
        observed = upload_rates(connection, now=now, allowed=settings.uploads_per_second)
    rates = dict.fromkeys(story.campaign.channels, settings.uploads_per_second)
    rates |= {channel: rate.per_second for channel, rate in observed.items()}
    if as_json:
        print_json(story_as_json(story))
        return
    report = story.report
    console.print(FileName(report.ref))
    console.print(FileName(unsigned(report.source)), style="dim")
    for headline, colour in headlines(story):
        console.print(f"[{colour}]{plain(headline)}[/{colour}]")
    console.print()
    for sentence in sentences(story, now=now, uploads_per_second=rates):
        console.print(plain(sentence[:1].upper() + sentence[1:]))
