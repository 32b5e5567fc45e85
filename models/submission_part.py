"""Parts of submissions: which items stand in one as they stood before, noted once for all of a part.

An item that is as its manifest has it is not written anew: a row of its part's has its ID. Those rows
are kept until the campaign's next submission, so that the end of one may come twice.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import BigInteger, Connection, ForeignKey, Select, delete, func, insert, select, true
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigKey
from models.bulk import ListOf, among, members, on_postgresql
from models.locks import lock_rows


class SubmissionPart(Base):
    """Some items that stand in a submission."""

    __tablename__ = "submission_parts"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    #: Workers of the version before prune campaigns, and know nothing of their parts.
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"), index=True)
    submission: Mapped[int] = mapped_column(BigInteger)
    #: The least of the IDs and the greatest: who looks for some of them passes other parts by.
    first_id: Mapped[int] = mapped_column(BigInteger)
    last_id: Mapped[int] = mapped_column(BigInteger)
    item_ids: Mapped[list[int]] = mapped_column(ListOf(BigInteger()))


def note_part(connection: Connection, campaign_id: str, number: int, item_ids: Sequence[int]) -> None:
    """Say of items that they stand in a submission; once more is fine."""
    if item_ids:
        ids = {"first_id": min(item_ids), "last_id": max(item_ids), "item_ids": item_ids}
        connection.execute(insert(SubmissionPart).values(campaign_id=campaign_id, submission=number, **ids))


def drop_parts(connection: Connection, campaign_id: str) -> None:
    """Forget what earlier submissions noted: they are over."""
    of_campaign = SubmissionPart.campaign_id == campaign_id
    lock_rows(connection, SubmissionPart, of_campaign)
    connection.execute(delete(SubmissionPart).where(of_campaign))


def count_parts(connection: Connection, campaign_id: str, number: int) -> int:
    """How many parts of a submission noted something; there are never fewer before the next one."""
    mine = (SubmissionPart.campaign_id == campaign_id, SubmissionPart.submission == number)
    return connection.execute(select(func.count()).select_from(SubmissionPart).where(*mine)).scalar_one()


def noted_ids(connection: Connection, campaign_id: str, number: int) -> Select[int]:
    """A query: the IDs of the items that are noted as standing in a submission, some of them twice."""
    noted = members(SubmissionPart.item_ids.expression, postgresql=on_postgresql(connection))
    mine = (SubmissionPart.campaign_id == campaign_id, SubmissionPart.submission == number)
    return select(noted.c.value).select_from(SubmissionPart).join(noted, true()).where(*mine)


def noted_among(connection: Connection, campaign_id: str, number: int, item_ids: Collection[int]) -> set[int]:
    """Those of the items that are noted as standing in a submission."""
    if not item_ids:
        return set()
    noted = noted_ids(connection, campaign_id, number).where(
        SubmissionPart.first_id <= max(item_ids), SubmissionPart.last_id >= min(item_ids)
    )
    return set(connection.execute(noted.where(among(noted.selected_columns[0], item_ids))).scalars())
