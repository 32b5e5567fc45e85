"""Campaigns for the live pages, made by the tasks themselves; and somebody who looks at them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from PIL import Image

from greenroom.task_names import TaskName
from tasks.dispatch import claims_from_json, dispatch
from tasks.inspect import inspect
from tasks.prepare import prepare
from tasks.upload import upload
from tests.support.http_api import PATIENCE, RunningApi
from tests.support.world import CHANNEL, World

#: Names that would do something in a page that believed them.
HOSTILE = (
    "<script>document.title='owned'</script>.jpg",
    '"><img src=x onerror="document.title=\'owned\'">.jpg',
    "{{ 7 * 7 }}.jpg",
    "../../campaigns?show=sent#x&y=z.jpg",
    "evil\u202egpj.exe.jpg",
    "&lt;b&gt;.jpg",
)


def made_campaign(
    world: World, folder: Path, *, name: str = "spring", good: int = 3, bad: int = 2, channel: str = CHANNEL
) -> None:
    """A campaign of images that are ready, and of files that cannot be sent, with hostile names in both."""
    folder.mkdir(exist_ok=True)
    items = []
    for number in range(good):
        path = folder / f"{name}-{number}.jpg"
        image = Image.linear_gradient("L").resize((320, 180 + 60 * (number % 3))).convert("RGB")
        image = Image.merge("RGB", [image.getchannel(0).rotate(90 * (number + one)) for one in range(3)])
        image.save(path, comment=f"{name} {number}".encode())
        items.append({"ref": HOSTILE[number] if number < len(HOSTILE) else path.name, "source": str(path)})
    for number in range(bad):
        (folder / f"{name}-empty-{number}.png").touch()
        source = str(folder / f"{name}-empty-{number}.png")
        items.append({"ref": f"bad-{HOSTILE[number % len(HOSTILE)]}-{number}", "source": source})
    prepare(world.context, world.campaign(name, channel), items)
    work(world)


def work(world: World) -> None:
    """Inspect and upload all that is handed out, until nothing is."""
    dispatch(world.context)
    while world.published:
        message = world.published.pop(0)
        if message.name is TaskName.INSPECT:
            inspect(world.context, claims_from_json(message.args[0]))
        elif message.name is TaskName.UPLOAD:
            upload(
                world.context, {channel: claims_from_json(one) for channel, one in message.args[0].items()}
            )
        if not world.published:
            dispatch(world.context)


class Reader:
    """Somebody with a browser's cookies and none of its other habits."""

    def __init__(self, url: str, session: requests.Session) -> None:
        self._url = url
        self.session = session

    def get(self, path: str, **headers: str) -> requests.Response:
        """A page."""
        return self._ask("GET", path, headers)

    def post(self, path: str, data: Any = None, **headers: str) -> requests.Response:
        """A form."""
        return self._ask("POST", path, headers, data=data)

    def log_in(self, token: str, path: str = "/campaigns") -> requests.Response:
        """The form to log in."""
        return self.post(path, {"token": token})

    def _ask(self, method: str, path: str, headers: dict[str, str], **more: Any) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.request(
            method, self._url + path, headers=named, timeout=PATIENCE, allow_redirects=False, **more
        )


@contextmanager
def reader(api: RunningApi) -> Iterator[Reader]:
    """Somebody who is not logged in yet."""
    with requests.Session() as session:
        session.trust_env = False
        yield Reader(api.url, session)
