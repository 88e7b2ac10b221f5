"""What is deployed: every manifest is one that Kubernetes accepts, each service has its probes and limits."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest

from shared.runtime.settings import SERVICES, SETTINGS
from tests.manifests import assembled, built, containers, settings_of

OBJECTS = built()
DEPLOYED = [found for found in OBJECTS if found["kind"] in ("Deployment", "Job")]


def named(found: dict[str, Any]) -> str:
    return f"{found['kind']} {found['metadata']['name']}"


@pytest.mark.parametrize("found", OBJECTS, ids=named)
def test_kubernetes_accepts_it(found: dict[str, Any]) -> None:
    kubernetes_validate.validate(found, kubernetes_validate.latest_version(), strict=True)


def test_a_wrong_manifest_would_not_pass() -> None:
    wrong = {**DEPLOYED[0], "spec": {**DEPLOYED[0]["spec"], "replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


def test_all_six_services_and_the_migrations() -> None:
    assert {named(found) for found in DEPLOYED} == {*(f"Deployment {name}" for name in SERVICES), "Job migrate"}


@pytest.mark.parametrize("found", DEPLOYED, ids=named)
def test_probes_limits_and_no_more_rights_than_needed(found: dict[str, Any]) -> None:
    (container,) = containers(found)
    assert container["resources"]["limits"]["memory"]
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert ":" in container["image"]
    if found["kind"] == "Deployment":
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[probe]["httpGet"]["port"] in ports, probe
        assert container["livenessProbe"]["httpGet"]["path"] != container["readinessProbe"]["httpGet"]["path"]


def test_only_settings_that_there_are() -> None:
    given = settings_of(OBJECTS)
    assert given.keys() <= SETTINGS.keys()
    for found in DEPLOYED:
        (container,) = containers(found)
        sources = [source[kind]["name"] for source in container["envFrom"] for kind in source]
        assert sources == ["passculture", "passculture"]


def test_what_the_base_s_files_say_is_what_kustomize_builds() -> None:
    """Where kubectl is not installed the files themselves are checked."""
    files = {(one["kind"], one["metadata"]["name"]): one for one in assembled()}
    assert {(one["kind"], one["metadata"]["name"]) for one in OBJECTS} == files.keys()
    for found in DEPLOYED:
        (of_file,), (of_build,) = containers(files[found["kind"], found["metadata"]["name"]]), containers(found)
        assert {**of_file, "image": ""} == {**of_build, "image": ""}
