"""deploy/kubernetes: the same processes as docker-compose.yml, confined as there; no name leads nowhere."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.project.test_compose import FILE, ITS_OWN, SECRETS, SETTINGS
from tests.support.compose import services
from worker.checkout import CHECKOUT

FOLDER = CHECKOUT / "deploy" / "kubernetes"
BASE, AUTOSCALING = FOLDER / "base", FOLDER / "autoscaling"
#: What compose starts as well.
SAME = ("worker-upload", "worker-inspect", "beat", "flower", "migrate")


def documents(folder: Path = BASE) -> Iterator[dict[str, Any]]:
    """All objects of a folder, its own description excepted."""
    for name in description(folder)["resources"]:
        if (folder / name).is_file():
            yield from yaml.safe_load_all((folder / name).read_text(encoding="utf-8"))


def description(folder: Path = BASE) -> dict[str, Any]:
    """What kustomize makes of a folder."""
    found: dict[str, Any] = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    return found


def named(kind: str) -> dict[str, dict[str, Any]]:
    """The objects of a kind, by name."""
    return {each["metadata"]["name"]: each for each in documents() if each["kind"] == kind}


def pods() -> dict[str, dict[str, Any]]:
    """What is to run, by name."""
    return {name: each["spec"]["template"] for name, each in {**named("Deployment"), **named("Job")}.items()}


def container(name: str) -> dict[str, Any]:
    """A pod's one container."""
    (found,) = pods()[name]["spec"]["containers"]
    assert found["name"] == "greenroom", "patches find it by this name"
    assert isinstance(found, dict)
    return found


def test_every_file_is_used() -> None:
    """A file that no description names does nothing."""
    for folder in (BASE, AUTOSCALING):
        told = description(folder)
        used = {*told["resources"], *(patch["path"] for patch in told["patches"] if "path" in patch)}
        files = {str(path.relative_to(folder)) for path in folder.rglob("*.yaml")}
        assert files - used == {"kustomization.yaml"} | (
            {"adapter-rules.yaml"} if folder == AUTOSCALING else set()
        )


@pytest.mark.parametrize("name", SAME)
def test_a_process_is_the_one_that_compose_starts(name: str) -> None:
    """The same command, the same time to end in, the same bound of memory."""
    theirs = services(FILE, SECRETS)[name]
    spec = pods()[name]["spec"]
    assert container(name)["command"] == theirs["command"]
    grace = f"{spec['terminationGracePeriodSeconds']}s" if "terminationGracePeriodSeconds" in spec else None
    assert grace == theirs.get("stop_grace_period")
    limit = container(name)["resources"]["limits"]["memory"]
    assert {"Mi": "m", "Gi": "g"}[limit[-2:]] == theirs["mem_limit"][-1]
    assert limit[:-2] == theirs["mem_limit"][:-1]
    of_its_own = {one["name"]: one["value"] for one in container(name).get("env", [])}
    assert of_its_own.items() <= theirs["environment"].items()
    assert pods()[name]["metadata"]["labels"]["app.kubernetes.io/name"] == name


def test_settings_are_settings() -> None:
    """And those that compose decides, because it knows where things are, are decided here, too."""
    (generated,) = description()["configMapGenerator"]
    given = dict(line.split("=", 1) for line in generated["literals"])
    assert given.keys() <= SETTINGS
    assert given["GREENROOM_FIXED_FOLDER"] == "/fixed"
    assert ITS_OWN - given.keys() == {"GREENROOM_DATABASE_URL", "GREENROOM_REDIS_URL"}


def test_whatever_is_selected_is_there() -> None:
    """By services, budgets and policies: a label with a slip selects nothing, in silence."""
    labels = {name: pod["metadata"]["labels"] for name, pod in pods().items()}
    for each in documents():
        spec = each.get("spec", {})
        selector = spec.get("podSelector", spec.get("selector"))
        if selector is None or selector == {}:
            continue
        wanted = selector.get("matchLabels", {} if "matchExpressions" in selector else selector)
        hit = [name for name, its_own in labels.items() if wanted.items() <= its_own.items()]
        for expression in selector.get("matchExpressions", []):
            hit = [name for name in hit if labels[name].get(expression["key"]) in expression["values"]]
            assert set(expression["values"]) == set(hit)
        assert hit, f"{each['kind']} {each['metadata']['name']} selects nothing"


def test_nobody_has_a_secret_for_nothing() -> None:
    """Beat and Flower have neither the database's address nor the key of the API keys."""
    for name in ("beat", "flower"):
        given = [each["secretRef"]["name"] for each in container(name)["envFrom"] if "secretRef" in each]
        assert set(given) <= {"greenroom-broker", "greenroom-flower"}
        labels = named("Deployment")[name]["metadata"].get("labels", {})
        assert not {"greenroom/database", "greenroom/files"} & labels.keys()


def test_patches_confine_every_container() -> None:
    """As `docker-compose.yml` does."""
    (patch,) = yaml.safe_load_all((BASE / "patches" / "confined.yaml").read_text(encoding="utf-8"))
    spec = patch["spec"]["template"]["spec"]
    user = re.search(
        r"^USER (\d+):(\d+)$", (CHECKOUT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert user is not None
    assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsGroup"]) == tuple(
        int(number) for number in user.groups()
    )
    for each in (spec["containers"][0], *_init_containers()):
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def _init_containers() -> list[dict[str, Any]]:
    (patch,) = yaml.safe_load_all((BASE / "patches" / "database.yaml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = patch["spec"]["template"]["spec"]["initContainers"]
    return found


def test_what_scales_is_asked_for_by_a_metric_that_is_made() -> None:
    """By the rules for the adapter that stand beside it."""
    rules = yaml.safe_load((AUTOSCALING / "adapter-rules.yaml").read_text(encoding="utf-8"))["externalRules"]
    made = {rule["name"]["as"] for rule in rules}
    for scaler in documents(AUTOSCALING):
        assert scaler["spec"]["scaleTargetRef"]["name"] in named("Deployment")
        assert {each["external"]["metric"]["name"] for each in scaler["spec"]["metrics"]} <= made


@pytest.mark.parametrize("folder", [BASE, AUTOSCALING], ids=lambda folder: str(folder.name))
def test_kustomize_and_the_schemas_of_kubernetes_take_it(folder: Path) -> None:
    """Where kubectl is; and where the package kubernetes-validate is, strictly by the schemas."""
    command = ["kubectl", "kustomize", str(folder)]
    try:
        made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except FileNotFoundError:
        pytest.skip("this machine has no kubectl")
    for each in yaml.safe_load_all(made):
        if each["kind"] in ("Deployment", "Job"):
            spec = each["spec"]["template"]["spec"]
            assert spec["securityContext"]["runAsNonRoot"] is True
            assert all(one["securityContext"]["readOnlyRootFilesystem"] for one in spec["containers"])
    if find_spec("kubernetes_validate") is None:
        pytest.skip("kubernetes-validate is not installed")
    import kubernetes_validate  # type: ignore[import-not-found]  # noqa: PLC0415 - it is large, and rarely here

    for each in yaml.safe_load_all(made):
        kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)
