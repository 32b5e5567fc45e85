"""Greenroom's tables and the queries on them; nothing here commits, the caller owns the transaction."""

from models.api_tokens import ApiToken
from models.asset import Asset, AssetState
from models.base import Base
from models.callback import Callback
from models.campaign import Campaign
from models.channel import Channel
from models.database import Database
from models.item import Item, ItemState
from models.item_asset import ItemAsset
from models.lookups import LookupFailure
from models.media import Media
from models.outbox import OutboxRow
from models.page_sessions import PageSession
from models.submission_part import SubmissionPart

__all__ = [
    "ApiToken",
    "Asset",
    "AssetState",
    "Base",
    "Callback",
    "Campaign",
    "Channel",
    "Database",
    "Item",
    "ItemAsset",
    "ItemState",
    "LookupFailure",
    "Media",
    "OutboxRow",
    "PageSession",
    "SubmissionPart",
]
