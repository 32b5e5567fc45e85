"""Where call-backs may go: one host or one task, which the operator allows."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom.callbacks.http_sender import CallbackSender
from greenroom.callbacks.target import CallbackTarget
from greenroom.clock import SystemClock
from greenroom.errors import ManifestError, SettingsError
from greenroom.manifest import CampaignPlan, parse_plan
from greenroom.settings_loader import load_settings
from greenroom.vault import new_secret_key
from tests.support.receiver import SECRET


def sender(**settings: str) -> CallbackSender:
    """With settings as an operator writes them."""
    environment = {
        "GREENROOM_DATABASE_URL": "sqlite:///greenroom.db",
        "GREENROOM_REDIS_URL": "redis://127.0.0.1/0",
        "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
        **{f"GREENROOM_CALLBACK_{name}": value for name, value in settings.items()},
    }
    return CallbackSender(load_settings(environment, dotenv=None), SystemClock())


def plan(callback: dict[str, Any]) -> CampaignPlan:
    """A campaign that wants it."""
    return parse_plan(
        {
            "id": "spring",
            "channel": "4915112345678",
            "send_at": "2030-03-21T09:00:00+01:00",
            "keep_until": "2030-03-22T09:00:00+01:00",
            "callback": callback,
        }
    )


@pytest.mark.parametrize(
    ("callback", "said"),
    [
        ({}, "callback: must have either url or task"),
        ({"url": "https://crm.example/", "task": "crm.ready"}, "must have either url or task"),
        ({"url": "ftp://crm.example/"}, "callback.url: must be an http(s) address"),
        ({"url": "https://"}, "callback.url: must be an http(s) address"),
        ({"url": "https://[crm"}, "callback.url: must be an http(s) address"),
        ({"url": "https://crm.example/a b"}, "callback.url: must be an http(s) address"),
        ({"url": "https://crm.example/\n"}, "callback.url: must be an http(s) address"),
        ({"url": "https://me:canary@crm.example/"}, "must not hold a user or a password"),
        ({"url": "https://crm.example/" + "a" * 2_048}, "more than 2,048 characters"),
        ({"task": "crm ready"}, "callback.task"),
        ({"task": "crm.ready", "queue": "a b"}, "callback.queue"),
        ({"email": "me"}, "callback.email is not known"),
    ],
)
def test_what_is_no_target_is_refused_at_the_door(callback: dict[str, Any], said: str) -> None:
    """With a sentence, and nothing of a password."""
    with pytest.raises(ManifestError) as caught:
        plan(callback)
    assert said in str(caught.value)
    assert "canary" not in str(caught.value)


def test_a_task_goes_to_celerys_own_queue_unless_another_is_said() -> None:
    """As everywhere with Celery."""
    assert plan({"task": "crm.ready"}).callback == CallbackTarget(task="crm.ready", queue="celery")
    assert plan({"task": "crm.ready", "queue": "crm"}).callback == CallbackTarget(
        task="crm.ready", queue="crm"
    )


def test_without_settings_nothing_is_called_back() -> None:
    """Neither by HTTP nor as a task."""
    for target in (CallbackTarget(url="https://crm.example/"), CallbackTarget(task="crm.ready")):
        assert "is not set" in (sender().refusal(target) or "")
    without_secret = sender(HOSTS="crm.example").refusal(CallbackTarget(url="https://crm.example/"))
    assert "GREENROOM_CALLBACK_SECRET is not set" in (without_secret or "")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://crm.example/hook?token=canary", True),
        ("https://other.example/hook/canary", False),
        ("http://crm.example/hook", False),
        ("https://crm.example:8443/hook", False),
        ("https://0x7f.1/hook", False),
    ],
)
def test_hosts_are_allowed_as_those_of_sources(url: str, *, allowed: bool) -> None:
    """One scheme, host and port; a refusal shows no path and no query."""
    refused = sender(HOSTS="crm.example", SECRET=SECRET).refusal(CallbackTarget(url=url))
    assert (refused is None) is allowed
    assert "canary" not in (refused or "")


@pytest.mark.parametrize(
    ("task", "queue", "allowed"),
    [
        ("crm.ready", "celery", True),
        ("crm.ready", "crm", True),
        ("billing.anything", "celery", True),
        ("crm.ready_not", "celery", False),
        ("billing", "celery", False),
        # Whoever hands a campaign over does not work Greenroom or Celery by it.
        ("media.cancel", "celery", False),
        ("celery.backend_cleanup", "celery", False),
        ("crm.ready", "control", False),
    ],
)
def test_tasks_are_allowed_by_name(task: str, queue: str, *, allowed: bool) -> None:
    """Or by how they begin."""
    target = CallbackTarget(task=task, queue=queue)
    assert (sender(TASKS="crm.ready, billing.*,media.*").refusal(target) is None) is allowed


@pytest.mark.parametrize(
    "wrong",
    [{"TASKS": "crm ready"}, {"TASKS": "*"}, {"SECRET": "canary"}, {"HOSTS": "https://crm example"}],
)
def test_a_wrong_setting_ends_the_start(wrong: dict[str, str]) -> None:
    """A secret is not shown."""
    with pytest.raises(SettingsError) as caught:
        sender(**wrong)
    assert "GREENROOM_CALLBACK_" in str(caught.value)
    assert "canary" not in str(caught.value)
