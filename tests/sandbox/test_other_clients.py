"""Clients that we did not write find in the sandbox what they find at the provider: `curl`, and a library."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from waba_sdk import WhatsApp
from waba_sdk.errors import WhatsAppError

from examples.makers import drawn_image as drawn
from examples.makers import saved
from sandbox.testing import RunningSandbox

KEY = "a-number"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A real JPEG."""
    path = tmp_path / "file.jpg"
    path.write_bytes(saved(drawn(320, 200, title="Hello"), "JPEG"))
    return path


def curl(*words: str) -> bytes:
    """What curl prints; its failure is the test's."""
    command = ["curl", "--silent", "--show-error", *words]
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="this machine has no curl")
def test_the_pages_own_curl_commands(image: Path) -> None:
    """Upload, look up, download, delete: the page's request examples, with the host replaced."""
    with RunningSandbox() as sandbox:
        uploaded = json.loads(
            curl(
                *("--location", f"{sandbox.url}/media"),
                *("--header", f"D360-API-KEY: {KEY}"),
                *("--form", "messaging_product=whatsapp"),
                *("--form", f"file=@{image};type=image/jpeg"),
            )
        )
        assert set(uploaded) == {"id"}
        key = ("-H", f"D360-API-KEY: {KEY}")
        found = json.loads(curl("-X", "GET", f"{sandbox.url}/{uploaded['id']}", *key))
        assert found["sha256"] == hashlib.sha256(image.read_bytes()).hexdigest()
        assert found["file_size"] == image.stat().st_size
        # The page: replace the root hostname by the API's own.
        parts = urlsplit(found["url"])
        assert f"{parts.scheme}://{parts.netloc}" == "https://lookaside.fbsbx.com"
        content = curl("-X", "GET", f"{sandbox.url}{parts.path}?{parts.query}", *key)
        assert content == image.read_bytes()
        assert json.loads(curl("-X", "DELETE", f"{sandbox.url}/{uploaded['id']}", *key)) == {"success": True}
        assert "error" in json.loads(curl("-X", "GET", f"{sandbox.url}/{uploaded['id']}", *key))


async def with_library(url: str, image: Path) -> tuple[str, bytes]:
    """Upload, look up and download with waba-sdk, which lets its base URL and its session be set."""
    async with aiohttp.ClientSession(headers={"D360-API-KEY": KEY}) as session:
        # 360dialog has neither version nor number in its paths: a dot stands for neither.
        client = WhatsApp("unused", ".", base_url=url, api_version=".", session=session, max_retries=0)
        media_id = await client.media.upload(image)
        info = await client.media.get_url(media_id)
        parts = urlsplit(info.url)
        download = await client.media.download(f"{url}{parts.path}?{parts.query}")
        with pytest.raises(WhatsAppError, match="does not exist"):
            await client.media.get_url("1")
    return media_id, download.content


def test_a_whatsapp_library_from_elsewhere(image: Path) -> None:
    """It gets its ID, finds its media, and understands our errors."""
    with RunningSandbox() as sandbox:
        media_id, content = asyncio.run(with_library(sandbox.url, image))
        assert content == image.read_bytes()
        assert sandbox.live_media_ids(KEY) == [media_id]
