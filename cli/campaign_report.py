"""`greenroom campaign report`: a campaign as one page of HTML, for whoever plans it."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

from cli.embedded_plan import installed_settings
from cli.formats import say
from cli.installation import embedded_home, in_production, open_database
from cli.new_file import new_file
from cli.options import CAMPAIGN, installation_options
from greenroom.campaign_page import data_uri, render
from greenroom.thumbnails import PAGE_SECONDS, Thumbnails
from models.campaign_page_data import campaign_page
from models.item_reports import ItemReport


@click.command()
@click.argument("campaign_id", type=CAMPAIGN)
@click.option(
    "--html",
    "html_file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write: one page, which refers to nothing outside itself.",
)
@click.option("--force", is_flag=True, help="Write it in the place of a file that is there.")
@click.option("--thumbnails/--no-thumbnails", default=True, help="Whether small pictures of images go along.")
@installation_options
def report(
    campaign_id: str, *, html_file: Path, force: bool, thumbnails: bool, state: Path, sandbox: bool
) -> None:
    """Write CAMPAIGN_ID's page for campaign managers: is it ready, what is wrong, and what to do."""
    now = datetime.now(UTC)
    state_dir = None if in_production() else embedded_home(state, sandbox=sandbox)
    settings = installed_settings(sandbox=sandbox, state_dir=state_dir)
    with (
        open_database(state, sandbox=sandbox) as database,
        closing(Thumbnails(settings, seconds=PAGE_SECONDS)) as maker,
        database.read() as connection,
    ):

        def thumbnail(item: ItemReport) -> str:
            return data_uri(maker.of(item.source)) if thumbnails else ""

        page = campaign_page(connection, campaign_id, settings, now=now, thumbnail=thumbnail)
    with new_file(html_file, force=force) as file:
        file.write(render(page).encode("utf-8", "replace"))
    say(f"The page of {campaign_id} is in {html_file}", err=True)
