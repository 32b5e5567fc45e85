"""The client and the sandbox, each written from the provider's page by itself, understand each other."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator

import pytest

from greenroom.errors import LookupBlocked, MediaGone, RequestRefused, Throttled
from greenroom.provider import ProviderClient
from sandbox.testing import RunningSandbox
from tests.provider.conftest import KEY, StartClient, content_of, upload

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + os.urandom(300_000) + b"\xff\xd9"


@pytest.fixture
def provider_sandbox() -> Iterator[RunningSandbox]:
    """A sandbox of our own."""
    with RunningSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def provider_client(provider_sandbox: RunningSandbox, client_of: StartClient) -> ProviderClient:
    """A client of it."""
    return client_of(provider_sandbox.url)


def test_the_life_of_a_file(provider_client: ProviderClient, provider_sandbox: RunningSandbox) -> None:
    """Uploaded, looked up, downloaded byte for byte, deleted, deleted again, gone."""
    media_id = upload(provider_client, JPEG)
    assert provider_sandbox.live_media_ids(KEY.get_secret_value()) == [media_id]
    location = provider_client.media_url(KEY, media_id)
    assert (location.size, location.mime_type) == (len(JPEG), "image/jpeg")
    into = io.BytesIO()
    assert provider_client.download(KEY, location, into).sha256 == hashlib.sha256(JPEG).hexdigest()
    assert into.getvalue() == JPEG
    assert provider_client.delete(KEY, media_id) is True
    assert provider_client.delete(KEY, media_id) is False
    with pytest.raises(MediaGone):
        provider_client.media_url(KEY, media_id)


def test_the_provider_deletes_after_30_days(
    provider_client: ProviderClient, provider_sandbox: RunningSandbox
) -> None:
    """The page: "stored for 30 days after last use"; then the ID is gone, and says so."""
    media_id = upload(provider_client, JPEG)
    provider_sandbox.advance(30 * 86_400 + 1)
    with pytest.raises(MediaGone):
        provider_client.media_url(KEY, media_id)


def test_too_many_uploads(provider_client: ProviderClient) -> None:
    """More than 25 uploads in a second without the limiter are throttled, by type."""
    content = content_of(JPEG[:1000])

    def hurry() -> None:
        for _ in range(200):
            upload(provider_client, content)

    with pytest.raises(Throttled):
        hurry()


def test_too_many_failed_look_ups(provider_client: ProviderClient) -> None:
    """After enough failures look-ups are blocked; uploads continue."""
    seen: set[type[Exception]] = set()
    for number in range(25):
        with pytest.raises((MediaGone, LookupBlocked, RequestRefused)) as caught:
            provider_client.media_url(KEY, f"99999{number}")
        seen.add(caught.type)
    assert LookupBlocked in seen
    assert upload(provider_client, JPEG)
