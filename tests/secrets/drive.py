"""Every path of a production, each with what can go wrong on it; whatever is raised goes to a log, too."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from celery import Celery
from sqlalchemy import text

from greenroom.client import Greenroom
from greenroom.manifest import CampaignPlan, ManifestItem, parse_items, parse_plan
from greenroom.task_names import QUEUES, TaskName
from models.progress import campaign_progress
from tests.secrets.seeds import SECRET_KEY, SEEDS
from tests.secrets.stack import Stack, wait_for

ONE, REVOKED = "4915112345678", "4915187654321"
_SIGNED = f"X-Amz-Signature={SEEDS['signature of a source']}"


@contextmanager
def _told(stack: Stack) -> Iterator[None]:
    """What is raised goes to a log, as a scheduler would write it."""
    try:
        yield
    except Exception:  # noqa: BLE001 - whatever it is, its text is searched
        with (stack.logs / "raised.log").open("a", encoding="utf-8") as log:
            log.write(traceback.format_exc())


def plan(campaign: str, channel: str, **more: object) -> CampaignPlan:
    """A campaign of now."""
    now = datetime.now(UTC)
    send_at, keep_until = now + timedelta(hours=1), now + timedelta(days=9)
    dates = {"send_at": send_at, "keep_until": keep_until}
    return parse_plan({"id": campaign, "channel": channel, **dates, **more})


def _callback(port: int) -> dict[str, str]:
    """Whom to tell, by an address that lets whoever has it tell things, too."""
    return {"url": f"http://127.0.0.1:{port}/{SEEDS['path of a call-back']}"}


def items(stack: Stack, file: Path) -> list[ManifestItem]:
    """Sources that are there, that are not, and that cannot be; most with a password or a signature."""
    password = SEEDS["password of a source"]
    web = f"http://user:{password}@127.0.0.1:{stack.web}"
    sources = {
        "file": str(file),
        **{
            word: f"{web}/{word}.jpg?{_SIGNED}"
            for word in ("good", "half", "moved", "denied", "gone", "broken")
        },
        "nobody": f"http://user:{password}@127.0.0.1:1/x.jpg?{_SIGNED}",
        "unknown host": f"https://user:{password}@nowhere.invalid/x.jpg?{_SIGNED}",
        "no port": f"http://user:{password}@127.0.0.1:99999/x.jpg?{_SIGNED}",
        "no host": f"http:{password}?{_SIGNED}",
        "not allowed": f"https://user:{password}@files.example.com/x.jpg?{_SIGNED}",
        "not in its store": "s3://campaigns/hero.jpg",
        "not in its container": "az://campaigns/hero.jpg",
        "user of a store": f"s3://user:{password}@campaigns/x.jpg",
        "not TLS": f"https://user:{password}@127.0.0.1:{stack.web}/good.jpg?{_SIGNED}",
    }
    accepted = []
    for ref, source in sources.items():
        with _told(stack):
            accepted += parse_items([{"ref": ref, "source": source, "fix": ref == "good"}])
    return accepted


def misbehave(stack: Stack) -> None:
    """Let the provider fail in every way, with the key in its own words."""
    key, revoked = SEEDS["API key"], SEEDS["API key, revoked"]
    signature = SEEDS["signature of a download"]
    link = f"https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1&hash={signature}"
    location = (
        f'{{"url": "{link}", "mime_type": "image/jpeg", "sha256": "{"0" * 64}", "file_size": 5, "id": "1", '
        '"messaging_product": "whatsapp"}'
    )
    failed = {"status": 500, "code": 131000, "message": f"Something went wrong with {key}"}
    limited = {
        "status": 429,
        "code": 130429,
        "message": f"Too many by {key}",
        "headers": {"Retry-After": "1"},
    }
    withdrawn = {"status": 401, "code": 190, "message": f"Invalid api_key {revoked}"}
    stack.sandbox.faults(
        {"on": "upload", "api_key": key, "times": 1, "answer": failed},
        {"on": "upload", "api_key": key, "times": 1, "answer": limited},
        {"on": "upload", "api_key": key, "times": 1, "drop": "halfway"},
        {"on": "upload", "api_key": revoked, "answer": withdrawn},
        {"on": "media_url", "api_key": key, "answer": {"status": 200, "body": location}},
        {"on": "delete", "api_key": key, "times": 1, "answer": failed},
    )


def _states(stack: Stack, campaign: str) -> tuple[int, int]:
    with stack.database.read() as connection:
        progress = campaign_progress(connection, campaign, now=datetime.now(UTC))
    return progress.ready, progress.settled


def _one(stack: Stack, statement: str) -> Callable[[], bool]:
    """Whether a statement answers anything."""

    def holds() -> bool:
        with stack.database.read() as connection:
            return bool(connection.execute(text(statement)).first())

    return holds


def drive(stack: Stack, file: Path) -> None:
    """All of it, in the order of a campaign's life."""
    stack.type(
        f"GREENROOM_API_KEY={SEEDS['API key']} channel add {ONE}",
        f"GREENROOM_API_KEY={SEEDS['API key, revoked']} channel add {REVOKED}",
    )
    misbehave(stack)
    client = Greenroom(stack.settings["GREENROOM_REDIS_URL"], timeout=60)
    try:
        every = items(stack, file)
        client.add_items(plan("seeded", ONE, callback=_callback(stack.web)), every)
        client.add_items(plan("revoked", REVOKED), every[:1])
        wait_for(lambda: _states(stack, "seeded")[0] >= 2, "the file, and the one of an address, are ready")
        wait_for(_one(stack, "SELECT 1 FROM channels WHERE paused_at IS NOT NULL"), "a channel is paused")
        ids = client.resolve("seeded", [item.ref for item in every])
        now = datetime.now(UTC)
        client.mark_used([(ONE, media_id, now) for media_id in ids.values()])
        wait_for(_one(stack, "SELECT 1 FROM media WHERE last_used_at IS NOT NULL"), "uses are recorded")
        with _told(stack):
            client.resolve("unheard-of", ["x"])
        with _told(stack):
            client.submit(plan("refused", ONE, callback=_callback(1)), every)
    finally:
        client.close()
    _come_by_http(stack, file)
    _lose_the_file(stack, file)
    _say_nonsense(stack)
    _retrieve(stack, file.parent, ids["file"])
    _type_everything(stack)


def _come_by_http(stack: Stack, file: Path) -> None:
    """A campaign with call-backs, which fail at first; the token where it does not belong; another's."""
    token, answers = SEEDS["API token"], []
    served = plan("served", ONE).model_dump(mode="json", exclude={"id"}, exclude_none=True)
    body = {**served, "items": [{"ref": "a", "source": str(file)}]}

    def put(name: str, **more: object) -> None:
        answers.append(stack.ask("PUT", f"/v1/campaigns/{name}", json={**body, **more}))

    put("served", callback=_callback(stack.web))
    put("refused", callback=_callback(1))
    put("served", callback={"url": f"http://{token}@127.0.0.1/{SEEDS['path of a call-back']}"})
    put("served", items=[{"ref": "a", "source": token}])
    put(token, unknown=token)
    answers.append(stack.ask("GET", f"/v1/campaigns/{token}/rejected?after={token}"))
    answers += [stack.ask("GET", "/v1/channels", token=wrong) for wrong in (token[:-1], f"{token}x")]
    with (stack.logs / "answers.log").open("w", encoding="utf-8") as log:
        log.writelines(f"{answer.status_code} {answer.headers} {answer.text}\n" for answer in answers)
    assert [answer.status_code for answer in answers] == [200, 409, 422, 422, 422, 422, 401, 401]
    wait_for(_one(stack, "SELECT 1 FROM outbox WHERE failure <> ''"), "a call-back has failed")
    stack.type("doctor", "token list")
    wait_for(
        _one(stack, "SELECT 1 FROM outbox WHERE campaign_id = 'served' AND delivered_at IS NOT NULL"),
        "a call-back is delivered",
    )


def _retrieve(stack: Stack, folder: Path, media_id: str) -> None:
    """What is asked of the provider by hand: URLs lead nowhere, and deletions fail.

    Args:
        stack: what runs.
        folder: where the URLs may be, which are asked for; nothing is looked for in it.
        media_id: one that the provider gave.
    """
    webhook = folder / "webhook.json"
    signature = SEEDS["signature of a download"]
    url = f"https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1&source=webhook&ext=1&hash={signature}"
    webhook.write_text(json.dumps({"id": "1", "url": url}), encoding="ascii")
    elsewhere = folder / "elsewhere.txt"
    elsewhere.write_text(f"https://example.com/?hash={signature}", encoding="ascii")
    with stack.database.write() as connection:
        # As if an hour had gone by.
        connection.execute(text("DELETE FROM lookup_failures"))
    sent = "media download --channel"
    stack.type(
        f"media show {media_id}",
        f"media url {media_id} --to {folder / 'url.txt'}",
        f"media download {media_id} --to {folder / 'copy.jpg'}",
        *(f"{sent} {ONE} --url-file {path} --to {folder / 'copy.jpg'}" for path in (webhook, elsewhere)),
        f"{sent} {REVOKED} --url-file {webhook} --to {folder / 'copy.jpg'}",
        f"media delete {media_id}",
        f"media delete {media_id} --force",
        f"media delete {media_id} --channel {REVOKED}",
    )
    assert signature in (folder / "url.txt").read_text(encoding="ascii"), "the URL was asked for and given"


def _lose_the_file(stack: Stack, file: Path) -> None:
    """Let IDs come due whose file is gone, so that the provider's copy is asked for; look up, and delete."""
    file.unlink()
    app = Celery(broker=stack.settings["GREENROOM_REDIS_URL"], set_as_current=False)
    with stack.database.write() as connection:
        # As if four weeks had gone by.
        connection.execute(
            text(
                "UPDATE media SET uploaded_at = uploaded_at - interval '28 days', last_used_at = NULL, "
                "expires_at = now() + interval '2 days', refresh_at = now(), verify_at = now()"
            )
        )
    try:
        for name in (TaskName.REFRESH, TaskName.VERIFY, TaskName.SWEEP, TaskName.RETIRE, TaskName.PRUNE):
            app.send_task(name, queue=QUEUES[name])
        wait_for(_one(stack, "SELECT 1 FROM assets WHERE detail LIKE '%own copy%'"), "the copy is asked for")
    finally:
        app.close()


def _say_nonsense(stack: Stack) -> None:
    """Messages that are no hand-over, with signed addresses in them; a client with a wrong password."""
    address = f"https://user:{SEEDS['password of a source']}@example.com/x.jpg?{_SIGNED}"
    app = Celery(broker=stack.settings["GREENROOM_REDIS_URL"], set_as_current=False)
    try:
        for name, args in (
            ("media.unheard_of", [address]),
            (TaskName.PREPARE, [{"id": "odd"}, [{"ref": "x", "source": address, "unknown": address}]]),
            (TaskName.PREPARE, [address]),
            (
                TaskName.PREPARE,
                [plan("odd", "4900").model_dump(mode="json"), [{"ref": "x", "source": address}]],
            ),
            (TaskName.MARK_USED, [[[ONE, address, "yesterday"]]]),
            (TaskName.UPLOAD, [{ONE: [[address, address]]}]),
        ):
            app.send_task(name, args=args, queue="control", argsrepr="nonsense")
        wait_for(lambda: not stack.redis.llen("control"), "all messages are taken")
    finally:
        app.close()


def _type_everything(stack: Stack) -> None:
    """The commands that show something, and those that fail at the start; then what was cancelled goes."""
    database, redis = SEEDS["database password"], SEEDS["broker password"]
    away = (
        f"GREENROOM_DATABASE_URL=postgresql://seeded:{database}@127.0.0.1:1/seeded",
        f"GREENROOM_REDIS_URL=redis://:{redis}@127.0.0.1:1/0",
    )
    wrong = (
        f"GREENROOM_DATABASE_URL=mysql://seeded:{database}@127.0.0.1/seeded",
        f"GREENROOM_REDIS_URL=redis://:{redis}@127.0.0.1:no-port/0",
        f"GREENROOM_SECRET_KEY={SECRET_KEY.replace('=', '')}",
        f"GREENROOM_CALLBACK_SECRET={SEEDS['call-back secret'][:-2]}",
    )
    stack.type(
        *("doctor", "campaign status", "campaign status seeded", "campaign export seeded", "media list"),
        *("channel list", "channel rotate", "channel resume nobody", "campaign cancel seeded"),
        *(f"{' '.join(settings)} doctor" for settings in (away, wrong)),
    )
    with stack.database.write() as connection:
        connection.execute(text("UPDATE media SET retire_at = now(), delete_after = now()"))
    app = Celery(broker=stack.settings["GREENROOM_REDIS_URL"], set_as_current=False)
    app.send_task(TaskName.RETIRE, queue=QUEUES[TaskName.RETIRE])
    app.close()
    wait_for(
        _one(stack, "SELECT 1 FROM media WHERE delete_attempts > 0 OR deleted_at IS NOT NULL"), "deletions"
    )
