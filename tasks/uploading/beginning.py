"""Batches of claims that were handed out, taken by the worker that is to upload them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import SecretStr
from sqlalchemy import Connection

from greenroom.errors import SettingsError
from greenroom.log_fields import about
from models.asset_claims import AssetUnderUpload, take_assets
from models.channel import ChannelRow, get_channel, get_channels, pause_channel
from models.claim import Claim
from models.references import needed_now
from models.upload_outcomes import finish_asset, postpone_asset
from tasks.runtime.context import Context
from tasks.uploading.completion import at_rest

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What a worker was asked to upload on a channel."""

    channel_id: str
    claims: Sequence[Claim]


@dataclass(frozen=True, kw_only=True)
class BegunBatch:
    """What there is to upload of a batch; nothing is, and it went back to the backlog, without a key."""

    channel: ChannelRow
    key: SecretStr | None
    assets: Sequence[AssetUnderUpload]


def begin_batches(context: Context, batches: Sequence[Batch]) -> list[BegunBatch]:
    """Take the claims of these batches, in one transaction."""
    with context.database.write() as connection:
        taken = take_assets(
            connection,
            [claim for batch in batches for claim in batch.claims],
            now=context.clock.now(),
            lease=context.lease,
            worker=context.worker,
        )
        wanted = still_wanted(context, connection, taken)
        channels = get_channels(connection, [batch.channel_id for batch in batches])
        return [
            _begun(
                context,
                connection,
                channels.get(batch.channel_id) or get_channel(connection, batch.channel_id),
                wanted.get(batch.channel_id, []),
            )
            for batch in batches
        ]


def _begun(
    context: Context, connection: Connection, channel: ChannelRow, assets: Sequence[AssetUnderUpload]
) -> BegunBatch:
    key = key_or_pause(context, connection, channel)
    if key is None:
        for asset in assets:
            postpone_asset(connection, asset.claim, until=None, detail="The channel is paused.", counts=False)
    return BegunBatch(channel=channel, key=key, assets=assets)


def still_wanted(
    context: Context, connection: Connection, taken: Mapping[str, Sequence[AssetUnderUpload]]
) -> dict[str, list[AssetUnderUpload]]:
    """Look again: what no campaign needs any more is not uploaded. By channel, as they were taken."""
    every = [asset for assets in taken.values() for asset in assets]
    needed = needed_now(connection, [asset.claim.id for asset in every], now=context.clock.now())
    for asset in every:
        if asset.claim.id not in needed:
            finish_asset(connection, asset.claim, state=at_rest(connection, asset.claim))
    return {
        channel_id: [asset for asset in assets if asset.claim.id in needed]
        for channel_id, assets in taken.items()
    }


def key_or_pause(context: Context, connection: Connection, channel: ChannelRow) -> SecretStr | None:
    """The channel's API key, or None for a channel that is paused, or has to be: its key can't be read."""
    if channel.paused_at is not None:
        return None
    try:
        return context.vault.decrypt(channel.api_key)
    except SettingsError as error:
        now = context.clock.now()
        if pause_channel(connection, channel.id, reason=str(error), now=now, tried=channel.api_key):
            logger.error("Channel %s is paused: %s", channel.id, error, extra=about(channel=channel.id))
        return None
