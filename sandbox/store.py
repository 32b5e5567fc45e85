"""Which media IDs there are, whose they are and until when: one SQLite table, used from one thread only.

Page: "All media files sent through this endpoint are encrypted and stored for 30 days after last use, unless
deleted earlier."
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

#: Seconds that a media is stored after its last use.
MEDIA_LIFETIME_SECONDS = 30 * 24 * 60 * 60
#: IDs have 15 or 16 digits, as the page's examples have.
_SMALLEST_ID = 10**14
_LARGEST_ID = 10**16 - 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS media (
    media_id TEXT PRIMARY KEY,
    api_key TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    mime_type TEXT NOT NULL,
    file_size INTEGER NOT NULL,
    uploaded_at REAL NOT NULL,
    last_used_at REAL NOT NULL,
    gone_at REAL
);
CREATE INDEX IF NOT EXISTS media_uploaded ON media (api_key, sha256, mime_type);
CREATE INDEX IF NOT EXISTS media_here ON media (sha256) WHERE gone_at IS NULL;
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value NOT NULL);
"""


class StateInUse(Exception):
    """Another sandbox works with this state directory; stop it or give this one another directory."""


@dataclass(frozen=True, kw_only=True)
class StoredMedia:
    """One media that is there now.

    Attributes:
        media_id: 15 or 16 digits.
        api_key: whose it is.
        sha256: hexadecimal, of its content.
        mime_type: as in the page's table.
        file_size: bytes.
    """

    media_id: str
    api_key: str
    sha256: str
    mime_type: str
    file_size: int


class MediaStore:
    """Media and a few settings; every change is committed at once. Moments are seconds since 1970."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=0.2)
        try:
            # One process at a time: the lock is taken with the first write and kept.
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=OFF")
            self._db.executescript(_SCHEMA)
            self._db.execute("INSERT OR IGNORE INTO setting VALUES ('secret', ?)", (secrets.token_bytes(32),))
        except sqlite3.OperationalError as error:
            self._db.close()
            raise StateInUse(f"{path.parent} cannot be opened ({error}): {StateInUse.__doc__}") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, *, api_key: str, sha256: str, mime_type: str, file_size: int, now: float) -> str:
        """Record an upload and give it an ID that no other media has or had."""
        while True:
            media_id = str(_SMALLEST_ID + secrets.randbelow(_LARGEST_ID - _SMALLEST_ID + 1))
            row = (media_id, api_key, sha256, mime_type, file_size, now, now)
            added = self._db.execute("INSERT OR IGNORE INTO media VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", row)
            if added.rowcount:
                return media_id

    def find(self, media_id: str, api_key: str, *, now: float) -> StoredMedia | None:
        """This number's media, unless it was deleted or its 30 days are over."""
        found = self.find_any(media_id, now=now)
        return found if found is not None and found.api_key == api_key else None

    def find_any(self, media_id: str, *, now: float) -> StoredMedia | None:
        """The media of that ID, whosever it is, unless it was deleted or its 30 days are over."""
        row = self._db.execute(
            "SELECT media_id, api_key, sha256, mime_type, file_size FROM media"
            " WHERE media_id = ? AND gone_at IS NULL AND last_used_at > ?",
            (media_id, now - MEDIA_LIFETIME_SECONDS),
        ).fetchone()
        if row is None:
            return None
        return StoredMedia(media_id=row[0], api_key=row[1], sha256=row[2], mime_type=row[3], file_size=row[4])

    def was_uploaded(self, *, api_key: str, sha256: str, mime_type: str) -> bool:
        """Whether this number ever uploaded this content as this type."""
        query = "SELECT 1 FROM media WHERE api_key = ? AND sha256 = ? AND mime_type = ? LIMIT 1"
        return self._db.execute(query, (api_key, sha256, mime_type)).fetchone() is not None

    def use(self, media_id: str, *, now: float) -> bool:
        """Record a use, which begins the 30 days anew; False where there is no such media (any more)."""
        used = self._db.execute(
            "UPDATE media SET last_used_at = ? WHERE media_id = ? AND gone_at IS NULL AND last_used_at > ?",
            (now, media_id, now - MEDIA_LIFETIME_SECONDS),
        )
        return used.rowcount == 1

    def remove(self, media_id: str, *, now: float) -> list[str]:
        """End a media; returns with the contents (SHA-256) that nobody needs any more."""
        ended = self._db.execute(
            "UPDATE media SET gone_at = ? WHERE media_id = ? AND gone_at IS NULL RETURNING sha256",
            (now, media_id),
        )
        return self._unneeded(row[0] for row in ended.fetchall())

    def expire(self, *, now: float) -> list[str]:
        """End all media whose 30 days are over; returns with the contents that nobody needs any more."""
        ended = self._db.execute(
            "UPDATE media SET gone_at = ? WHERE gone_at IS NULL AND last_used_at <= ? RETURNING sha256",
            (now, now - MEDIA_LIFETIME_SECONDS),
        )
        return self._unneeded(row[0] for row in ended.fetchall())

    def _unneeded(self, candidates: Iterable[str]) -> list[str]:
        query = "SELECT 1 FROM media WHERE sha256 = ? AND gone_at IS NULL LIMIT 1"
        return [each for each in set(candidates) if self._db.execute(query, (each,)).fetchone() is None]

    def live(self, *, now: float) -> dict[str, list[str]]:
        """The media IDs that are there now, oldest first, per API key."""
        return {key: list(media) for key, media in self.contents(now=now).items()}

    def contents(self, *, now: float) -> dict[str, dict[str, str]]:
        """The SHA-256 of each media that is there now, oldest first, per API key and media ID."""
        rows = self._db.execute(
            "SELECT api_key, media_id, sha256 FROM media WHERE gone_at IS NULL AND last_used_at > ?"
            " ORDER BY rowid",
            (now - MEDIA_LIFETIME_SECONDS,),
        )
        found: dict[str, dict[str, str]] = {}
        for api_key, media_id, sha256 in rows:
            found.setdefault(api_key, {})[media_id] = sha256
        return found

    @property
    def secret(self) -> bytes:
        """32 random bytes that belong to this state."""
        value: bytes = self._db.execute("SELECT value FROM setting WHERE name = 'secret'").fetchone()[0]
        return value

    @property
    def clock_offset_seconds(self) -> float:
        """How far the clock had been moved when it was last recorded."""
        row = self._db.execute("SELECT value FROM setting WHERE name = 'clock_offset'").fetchone()
        return 0.0 if row is None else float(row[0])

    def record_clock_offset(self, seconds: float) -> None:
        """Remember how far the clock has been moved, so that a restart does not turn it back."""
        self._db.execute("INSERT OR REPLACE INTO setting VALUES ('clock_offset', ?)", (seconds,))
