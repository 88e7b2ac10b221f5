"""What is deployed: every manifest is one that Kubernetes accepts, each service has its probes and limits."""

from __future__ import annotations

import shutil
import tomllib
from typing import Any

import kubernetes_validate
import pytest

from shared.hosting.platform import stores_of
from shared.runtime.settings import SECRET_SETTINGS, SERVICES, SETTINGS, STORES
from tests.manifests import BASE, assembled, built, connections_of, containers, secrets_of, settings_of
from tests.platform import ROOT

OBJECTS = built()
POSTGRESQL_ADMITS, FOR_SUPERUSERS = 100, 3
"""max_connections and superuser_reserved_connections, unless it is told otherwise."""
MIGRATING, FOR_PEOPLE = 1, 10
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
    assert settings_of(OBJECTS).keys() <= SETTINGS.keys() - SECRET_SETTINGS


@pytest.mark.parametrize("found", DEPLOYED, ids=named)
def test_each_gets_of_the_secrets_what_it_uses(found: dict[str, Any]) -> None:
    (container,) = containers(found)
    name = found["metadata"]["name"]
    own = {f"DATABASE_URL_{store.upper()}" for store in (stores_of([name]) if name in SERVICES else STORES)}
    further = {
        "migrate": {"DATABASE_URL"},
        "identity": {"SIGNING_KEY"},  # signs
        "gateway": {"SIGNING_KEY"},  # checks
        "payout": {"DEBTOR_IBAN", "DEBTOR_BIC"},
    }
    assert container["envFrom"] == [{"configMapRef": {"name": "passculture"}}]
    assert secrets_of(container) == {
        variable: ("passculture-admin" if variable == "DATABASE_URL" else "passculture", variable)
        for variable in {"AMQP_URI"} | own | further.get(name, set())
    }


def test_the_pods_of_a_rolling_release_leave_the_database_connections() -> None:
    """The sum is below PostgreSQL's limit, and the comment in settings.yaml has the same sum."""
    connections = MIGRATING + FOR_SUPERUSERS
    for found in DEPLOYED:
        if found["kind"] == "Deployment":
            service, spec = found["metadata"]["name"], found["spec"]
            assert spec["strategy"]["rollingUpdate"]["maxSurge"] == 0
            pods = spec["replicas"] + spec["strategy"]["rollingUpdate"]["maxUnavailable"]  # the terminating ones
            connections += pods * sum(connections_of(OBJECTS, service, store) for store in stores_of([service]))
    assert connections <= POSTGRESQL_ADMITS - FOR_PEOPLE
    comment = (BASE / "settings.yaml").read_text("utf-8")
    assert f"= {connections} with {settings_of(OBJECTS)['POOL_SIZE']}" in comment


def test_the_migrations_of_the_next_release_find_none_before_them() -> None:
    """A Job is immutable: it is deleted by its time to live, or by the tool that applies the base."""
    (job,) = (found for found in DEPLOYED if found["kind"] == "Job")
    assert job["spec"]["ttlSecondsAfterFinished"] <= 600
    assert job["metadata"]["annotations"] == {
        "argocd.argoproj.io/hook": "Sync",
        "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
        "kustomize.toolkit.fluxcd.io/force": "enabled",
    }
    assert "delete job migrate --ignore-not-found" in (BASE.parent / "README.md").read_text("utf-8")


def test_the_image_s_tag_is_the_project_s_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {container["image"] for found in DEPLOYED for container in containers(found)} == {
        f"passculture:{project['version']}"
    }


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed: the files alone are checked")
def test_what_the_base_s_files_say_is_what_kustomize_builds() -> None:
    files = {(one["kind"], one["metadata"]["name"]): one for one in assembled()}
    assert {(one["kind"], one["metadata"]["name"]) for one in OBJECTS} == files.keys()
    for found in DEPLOYED:
        (of_file,), (of_build,) = containers(files[found["kind"], found["metadata"]["name"]]), containers(found)
        assert {**of_file, "image": ""} == {**of_build, "image": ""}
