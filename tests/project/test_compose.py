"""docker-compose.yml: every setting reaches its services, none starts without secrets, and none is root."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from greenroom.setting_types import PREFIX
from greenroom.settings import Settings
from greenroom.settings_loader import load_settings
from greenroom.vault import new_secret_key
from tests.support.compose import VariableMissing, services, variables
from worker.checkout import CHECKOUT

FILE = CHECKOUT / "docker-compose.yml"
SECRETS = {
    "POSTGRES_PASSWORD": "secretofpostgres",
    "REDIS_PASSWORD": "secretofredis",
    "FLOWER_PASSWORD": "secretofflower",
    "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
}
#: All but what the embedded stack alone can know.
SETTINGS = {PREFIX + name.upper() for name in Settings.model_fields} - {"GREENROOM_SOLE_UPLOADER_SINCE"}
#: Of OpenTelemetry's own variables, those that are handed on.
OF_TRACES = {
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
}
#: What the file itself decides, because it knows where things are.
ITS_OWN = {
    "GREENROOM_DATABASE_URL",
    "GREENROOM_REDIS_URL",
    "GREENROOM_FIXED_FOLDER",
    "GREENROOM_HEALTH_PATH",
    "GREENROOM_SOURCE_CACHE_FOLDER",
}
WORKERS = {"migrate", "worker-upload", "worker-inspect"}
#: Who reads the database, and gets a key that decrypts nothing.
READERS = {"metrics", "serve"}
#: Those who only pass messages on: they get a key that decrypts nothing, and a database that is none.
MESSENGERS = {"beat", "flower"}
OTHERS = {"postgres", "postgres-owner", "redis", "sandbox", "prometheus", "grafana"}
#: Users of other people's images.
USERS = {"redis", "postgres", "nobody", "grafana"}
#: By which workers log in to stores.
OF_STORES = {
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"),
    "GOOGLE_APPLICATION_CREDENTIALS",
    *("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCOUNT_NAME"),
    *("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN"),
}
#: What signs and decrypts.
OF_WORKERS = {"GREENROOM_SECRET_KEY", "GREENROOM_CALLBACK_SECRET"}


def marked() -> dict[str, str]:
    """An environment in which every setting has a value of its own."""
    return SECRETS | {
        name: f"value of {name}" for name in (SETTINGS - SECRETS.keys()) | OF_STORES | OF_TRACES
    }


def test_every_setting_reaches_its_services() -> None:
    """A setting that is added to Greenroom is added to x-settings: ``  GREENROOM_NAME:``, without a value."""
    given = {name: service["environment"] for name, service in services(FILE, marked()).items()}
    assert set(given) == WORKERS | READERS | MESSENGERS | OTHERS
    for service in WORKERS | READERS | MESSENGERS:
        assert SETTINGS - given[service].keys() == set(), f"not in x-settings of {FILE.name}"
        fixed = ITS_OWN | (OF_WORKERS if service in READERS | MESSENGERS else set())
        for name in SETTINGS - fixed:
            assert given[service][name] == marked()[name], f"{service} does not get {name}"
    assert not any(name.startswith(PREFIX) for service in OTHERS for name in given[service])


def test_credentials_of_stores_are_with_workers_alone() -> None:
    """Who reads no files needs none."""
    for name, service in services(FILE, marked()).items():
        assert (service["environment"].keys() & OF_STORES) == (
            OF_STORES if name in WORKERS - {"migrate"} else set()
        )


def test_beat_is_replaced_after_the_workers() -> None:
    """Its ticks ask for what workers of before may not know of."""
    needed = services(FILE, marked())["beat"]["depends_on"]
    assert needed.keys() >= WORKERS
    assert "redis" in needed


def test_the_collector_reaches_whoever_traces() -> None:
    """Workers, beat, Flower and the HTTP API."""
    given = {name: value for name, value in marked().items() if name in OF_TRACES}
    assert given.keys() == OF_TRACES
    for name, service in services(FILE, marked()).items():
        if name in WORKERS | READERS | MESSENGERS:
            assert given.items() <= service["environment"].items(), name


def test_what_is_not_set_is_not_handed_on_empty() -> None:
    """An empty variable counts as set; with the secrets alone, every service has settings it can use."""
    for name, service in services(FILE, SECRETS).items():
        if name in WORKERS | READERS | MESSENGERS:
            settings = load_settings(service["environment"], dotenv=None)
            assert settings.uploads_per_second == Settings.model_fields["uploads_per_second"].default


def test_a_secret_is_with_those_alone_who_need_it() -> None:
    """Flower, beat and the sandbox have neither the database's password nor the key of the API keys."""
    holders = {
        name: {
            service
            for service, all_of_it in services(FILE, SECRETS).items()
            if secret in json.dumps(all_of_it)
        }
        for name, secret in SECRETS.items()
    }
    assert holders == {
        "POSTGRES_PASSWORD": {"postgres", *WORKERS, *READERS},
        "REDIS_PASSWORD": {"redis", *WORKERS, *READERS, *MESSENGERS},
        "FLOWER_PASSWORD": {"flower"},
        "GREENROOM_SECRET_KEY": WORKERS,
    }


def test_no_secret_is_on_a_command_line() -> None:
    """Every user of a machine can read those."""
    for service in services(FILE, SECRETS).values():
        words = json.dumps([service.get("command"), service.get("entrypoint"), service.get("healthcheck")])
        assert not any(secret in words for secret in SECRETS.values())


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_secret_stops_the_start_with_a_sentence(name: str, value: str | None) -> None:
    """It names the variable, where to write it, and what to write."""
    environment = {**SECRETS, name: value or ""}
    if value is None:
        del environment[name]
    with pytest.raises(VariableMissing, match=rf"^Set {name} in \.env.+\.$"):
        services(FILE, environment)


def test_every_container_is_confined() -> None:
    """No root but for the moment that hands a folder over, no capabilities, and a root that is read-only."""
    image = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", image, re.MULTILINE)
    for name, service in services(FILE, SECRETS).items():
        assert service["read_only"] == "true", name
        assert service["init"] == "true", name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
        of_ours = "build" in service and "user" not in service
        assert of_ours or service["user"] in USERS or name == "postgres-owner", name
        assert ("cap_add" in service) == (name == "postgres-owner"), name
    owner = services(FILE, SECRETS)["postgres-owner"]
    assert (owner["cap_add"], owner["network_mode"], owner["restart"]) == (["CHOWN"], "none", "no")


def test_every_service_that_stays_has_a_health_check() -> None:
    """A worker's and beat's look at the file that the settings name, with nothing but the system's tools."""
    for name, service in services(FILE, SECRETS).items():
        if service["restart"] == "no" or name in ("sandbox", "prometheus", "grafana"):
            continue
        kind, *words = service["healthcheck"]["test"]
        if name in WORKERS | {"beat"}:
            file = service["environment"]["GREENROOM_HEALTH_PATH"]
            fails_where_old = ["!", "-mmin", "-0.5", "-exec", "false", "{}", "+"]
            assert (kind, words) == ("CMD", ["find", file, *fails_where_old]), name
        assert kind in ("CMD", "CMD-SHELL")


@pytest.mark.parametrize("name", ["flower", "metrics", "serve"])
def test_whoever_speaks_http_is_asked_for_its_health(name: str) -> None:
    """It is well if it answers 200: not if it answers anything else, and not if nobody answers."""
    _, *words = services(FILE, SECRETS)[name]["healthcheck"]["test"]
    status, asked = [200, 503], []

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status[len(asked) - 1])
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        (port,) = {found for word in words for found in re.findall(r"/dev/tcp/127\.0\.0\.1/(\d+)", word)}
        here = [word.replace(f"/{port} ", f"/{server.server_port} ") for word in words]
        codes = []
        for _ in status:
            thread = Thread(target=server.handle_request)
            thread.start()
            codes.append(subprocess.run(here, capture_output=True, check=False).returncode)
            thread.join()
    assert codes == [0, 1]
    assert set(asked) <= {"/healthcheck", "/-/healthy", "/healthz"}
    assert subprocess.run(here, capture_output=True, check=False).returncode != 0


def test_nothing_grows_without_a_bound() -> None:
    """Neither logs nor memory; what workers there are is said in .env, where an upgrade finds it again."""
    for name, service in services(FILE, SECRETS).items():
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
    scaled = services(FILE, {**SECRETS, "UPLOAD_WORKERS": "3", "INSPECT_WORKERS": "2"})
    assert (scaled["worker-upload"]["scale"], scaled["worker-inspect"]["scale"]) == ("3", "2")


def test_ports_are_on_this_machine_alone() -> None:
    """Opening one wider is the operator's decision."""
    ports = {name: service.get("ports", []) for name, service in services(FILE, SECRETS).items()}
    on_the_machine = {"redis", "serve", "flower", "sandbox", "metrics", "prometheus", "grafana"}
    assert {name for name, its_own in ports.items() if its_own} == on_the_machine
    assert all(port.startswith("127.0.0.1:") for its_own in ports.values() for port in its_own)


def test_the_example_and_the_reference_have_every_variable() -> None:
    """Those that the file asks for, and nothing that does nothing."""
    asked = variables(FILE.read_text(encoding="utf-8"))
    example = set(
        re.findall(
            r"^(?:# )?([A-Z_]+)=", (CHECKOUT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE
        )
    )
    assert example == asked | (SETTINGS - ITS_OWN)
    reference = (CHECKOUT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    assert {name for name in asked if f"`{name}`" not in reference} == set()


def test_the_page_on_production_names_every_service() -> None:
    """In its table, those of profiles, too."""
    page = (CHECKOUT / "docs" / "how-to" / "production.md").read_text(encoding="utf-8")
    table = page.partition("### What runs")[2].partition("\n\nMore workers")[0]
    assert {name for name in services(FILE, SECRETS) if f"`{name}`" not in table} == set()


def test_compose_reads_the_file_as_these_tests_do(tmp_path: Path) -> None:
    """Where Docker is installed: its own reading of the file gives every service the same environment."""
    if not shutil.which("docker"):
        pytest.skip("this machine has no Docker")
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in marked().items()))
    command = [
        "docker",
        "compose",
        "--profile",
        "sandbox",
        "--profile",
        "observability",
        "--profile",
        "http",
        "--env-file",
        str(tmp_path / ".env"),
        "--file",
        str(FILE),
    ]
    try:
        result = subprocess.run(
            [*command, "config", "--format", "json"], capture_output=True, text=True, check=False, timeout=60
        )
    except subprocess.TimeoutExpired:
        pytest.skip("this machine's Compose says nothing within a minute")
    if "is not a docker command" in result.stderr or "unknown" in result.stderr:
        pytest.skip("this Docker has no Compose")
    assert result.returncode == 0, result.stderr
    theirs = json.loads(result.stdout)["services"]
    for name, service in services(FILE, marked()).items():
        assert (theirs[name].get("environment") or {}) == service["environment"], name
        for key in ("read_only", "init", "cap_drop", "security_opt"):
            assert str(theirs[name][key]).lower() == str(service[key]).lower(), (name, key)
