"""Tables of a large installation, filled by the database itself: what plans and ticks are looked at on.

Of so many rows in each of `assets`, `items` and `media`:

* all assets wait for upload, over all channels; each has a current media ID, so all of them are renewals;
* every second item waits for inspection, the others are accepted and hold an asset each;
* a tenth of all items belongs to one campaign on the first channel, the rest to five campaigns a channel;
* nothing is due for renewal, retirement or a look-up, until a script of :data:`MAKE_DUE` says so.
"""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr
from sqlalchemy import text

from models import Base
from tasks.runtime.context import Context

CAMPAIGNS_A_CHANNEL = 5
#: One campaign has this share of all items.
SHARE_OF_THE_LARGEST = 10
LARGEST_CAMPAIGN = "campaign-largest"
#: A channel and a campaign like most.
USUAL_CHANNEL = "channel-2"
USUAL_CAMPAIGN = "campaign-2-0"
#: Rows that are due for a tick.
DUE = 1_000

FILL = """
INSERT INTO channels (id, api_base_url, api_key, created_at, life_rules)
SELECT 'channel-' || n, 'http://127.0.0.1:1', :api_key, now(), :rules FROM generate_series(1, :channels) n;
INSERT INTO campaigns (id, channel_id, send_at, keep_until, created_at)
SELECT 'campaign-' || c || '-' || k, 'channel-' || c, now() + interval '1 day' * (1 + k),
       now() + interval '60 days', now()
FROM generate_series(1, :channels) c, generate_series(0, :campaigns - 1) k;
INSERT INTO campaigns (id, channel_id, send_at, keep_until, created_at)
VALUES ('campaign-largest', 'channel-1', now() + interval '1 day', now() + interval '60 days', now());
INSERT INTO assets (channel_id, sha256, mime_type, category, size, file_name, source, state, priority, due_at,
                    token, attempts, lost_answers, detail)
SELECT 'channel-' || CASE WHEN n % :largest = 0 THEN 1 ELSE n / 2 % :channels + 1 END,
       md5(n::text) || md5((-n)::text), 'image/jpeg', 'image', 50000, n || '.jpg', '/media/' || n || '.jpg',
       'waiting', 0, now() + interval '1 day' + interval '1 day' * (n % 2), 2, 0, 0, ''
FROM generate_series(1, :size) n;
INSERT INTO items (campaign_id, ref, source, due_at, state, token, attempts, asset_id, label, detail, notices)
SELECT CASE WHEN id % :largest = 0 THEN 'campaign-largest'
            ELSE replace(channel_id, 'channel', 'campaign') || '-' || id / 2 / :channels % :campaigns END,
       id::text, source, now() + interval '1 day', CASE WHEN waits THEN 'waiting' ELSE 'accepted' END,
       2, 0, CASE WHEN waits THEN NULL ELSE id END, '', '', '[]'
FROM (SELECT *, id / :largest % 2 = 1 AS waits FROM assets WHERE id % :largest = 0
      UNION ALL SELECT *, id % 2 = 1 FROM assets WHERE id % :largest <> 0) every_asset;
INSERT INTO media (media_id, channel_id, asset_id, sha256, mime_type, uploaded_at, expires_at, is_current,
                   delete_attempts, refresh_at, retire_at, verify_at)
SELECT id::text, channel_id, id, sha256, mime_type, now() - interval '2 days', now() + interval '28 days',
       true, 0, now() + interval '23 days' + random() * interval '2 days', now() + interval '61 days',
       now() + interval '5 days'
FROM assets
"""

#: What makes so many rows due; each is a part of all of them, spread over the channels.
MAKE_DUE = {
    "refresh": "UPDATE media SET refresh_at = now() - interval '1 hour' WHERE id % (:size / :due) = 0",
    "retire": "UPDATE media SET retire_at = now() - interval '1 hour' WHERE id % (:size / :due) = 1",
    "verify": "UPDATE media SET verify_at = now() - interval '1 hour' WHERE id % (:size / :due) = 2;"
    "UPDATE media SET verify_at = now() - interval '1 hour' WHERE id IN"
    " (SELECT id FROM media WHERE channel_id = 'channel-2' ORDER BY id LIMIT 200)",
    "sweep": "UPDATE assets SET state = 'uploading', lease_until = now() - interval '1 hour'"
    " WHERE id % (:size / :due) = 0;"
    "UPDATE items SET state = 'inspecting', lease_until = now() - interval '1 hour'"
    " WHERE state = 'waiting' AND id % (:size / :due) = 1",
}

#: What ticks change is put back.
PUT_BACK = """
UPDATE assets
SET state = 'waiting', priority = 0, token = 2, lease_until = NULL, attempts = 0, lost_answers = 0
WHERE state <> 'waiting' OR attempts > 0;
UPDATE items SET state = 'waiting', lease_until = NULL, attempts = 0
WHERE state IN ('claimed', 'inspecting') OR attempts > 0;
DELETE FROM media WHERE id > :size;
UPDATE media SET is_current = true, delete_after = NULL, deleted_at = NULL WHERE NOT is_current;
UPDATE media SET refresh_at = now() + interval '23 days' WHERE refresh_at <= now() + interval '1 day';
UPDATE media SET retire_at = now() + interval '61 days' WHERE retire_at <= now() + interval '1 day';
UPDATE media SET verify_at = now() + interval '5 days' WHERE verify_at <= now() + interval '1 day';
DELETE FROM lookup_failures
"""


class FullTables:
    """One database that was filled."""

    def __init__(self, context: Context, *, rows: int, channels: int) -> None:
        self._context = context
        self._values: dict[str, Any] = {
            "size": rows,
            "due": min(DUE, rows),
            "channels": channels,
            "campaigns": CAMPAIGNS_A_CHANNEL,
            "largest": SHARE_OF_THE_LARGEST,
            "api_key": context.vault.encrypt(SecretStr("a-key")),
            "rules": context.settings.life_rules(None).fingerprint,
        }

    def fill(self) -> None:
        """Empty all tables, and fill them."""
        self.run(f"TRUNCATE {', '.join(Base.metadata.tables)} RESTART IDENTITY CASCADE;{FILL}")
        self.vacuum(analyze=True)

    def run(self, script: str) -> None:
        """Change the tables by hand: statements with semicolons between them, in one transaction."""
        with self._context.database.write() as connection:
            for statement in script.split(";"):
                connection.execute(text(statement), self._values)

    def vacuum(self, *, analyze: bool = False) -> None:
        """As autovacuum would, were it given the time."""
        with self._context.database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(
                text("VACUUM ANALYZE" if analyze else "VACUUM")
            )
