"""The provider, as a command asks it about media IDs of the installation that it works on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from pydantic import SecretStr

from cli.embedded_plan import installed_settings
from cli.installation import EMBEDDED_SANDBOX, embedded_home, in_production, open_database
from greenroom.clock import SystemClock
from greenroom.errors import Misuse
from greenroom.vault import Vault
from models.channel import get_channel
from models.media_reports import MediaReport, media_named
from sandbox.store import StateInUse
from sandbox.testing import RunningSandbox
from tasks.runtime.context import provider_of
from tasks.runtime.retrieval import Retrieval
from worker.embedded.state_dir import StateDir


@contextmanager
def open_retrieval(
    state: Path, *, sandbox: bool, channel: str | None, media_id: str | None
) -> Iterator[Retrieval]:
    """What asks the provider on the channel that is said, or that the ID is known on.

    Args:
        state: the folder of an embedded installation.
        sandbox: whether it ran with the sandbox, which is then started on what it has kept.
        channel: which number, where it is said.
        media_id: by which it is found otherwise.

    Raises:
        Misuse: there is no installation; the channel cannot be told, or is known at another address than the
            settings name, where its key is not sent to.
    """
    settings = installed_settings(sandbox=sandbox)
    with open_database(state, sandbox=sandbox) as database:
        with database.read() as connection:
            found = [channel] if channel else _channels_of(media_named(connection, media_id or ""))
            if len(found) != 1:
                raise Misuse(_which(found, media_id))
            row = get_channel(connection, found[0])
        home = None if in_production() else embedded_home(state, sandbox=sandbox)
        with _address(row.api_base_url, settings.api_base_url, home) as address:
            settings = settings.model_copy(update={"api_base_url": address})
            with closing(provider_of(settings)) as provider:
                yield Retrieval(
                    channel_id=row.id,
                    settings=settings,
                    database=database,
                    provider=provider,
                    vault=Vault(settings.secret_key if home is None else _secret_key(home)),
                    clock=SystemClock(),
                )


@contextmanager
def _address(known: str, set_to: str, home: StateDir | None) -> Iterator[str]:
    """Where the channel's provider is."""
    if home is not None and known == EMBEDDED_SANDBOX:
        try:
            with RunningSandbox(state=home.sandbox) as running:
                yield running.url
        except StateInUse:
            raise Misuse("The sandbox of this installation is in use. Wait for the end of its run.") from None
        return
    if known != set_to:
        raise Misuse(
            f"The channel is known at {known}, and its key is not sent to {set_to}, which "
            "GREENROOM_API_BASE_URL says."
        )
    yield set_to


def _channels_of(rows: Sequence[MediaReport]) -> list[str]:
    return [row.channel_id for row in rows]


def _which(found: Sequence[str], media_id: str | None) -> str:
    if found:
        return f"Media {media_id} is known on {', '.join(found)}. Say which one is meant with --channel."
    unknown = "" if media_id is None else f"Media {media_id} is not known here. "
    return f"{unknown}Say on which number the provider is asked, with --channel."


def _secret_key(home: StateDir) -> SecretStr:
    try:
        return SecretStr(home.secret_key.read_text(encoding="ascii").strip())
    except OSError as error:
        raise Misuse(f"{home.secret_key} cannot be read: {error.strerror}") from error
