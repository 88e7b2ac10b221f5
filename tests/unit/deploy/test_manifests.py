"""Kubernetes manifests: they are valid, and every service has its probes, limits and secrets."""

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
MAX_CONNECTIONS, RESERVED_FOR_SUPERUSERS = 100, 3
"""PostgreSQL's defaults of max_connections and superuser_reserved_connections."""
FOR_MIGRATIONS, FOR_OPERATORS = 1, 10
DEPLOYED = [manifest for manifest in OBJECTS if manifest["kind"] in ("Deployment", "Job")]


def named(manifest: dict[str, Any]) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


@pytest.mark.parametrize("manifest", OBJECTS, ids=named)
def test_a_manifest_is_valid(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_an_invalid_manifest_is_refused() -> None:
    wrong = {**DEPLOYED[0], "spec": {**DEPLOYED[0]["spec"], "replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


def test_the_six_services_and_the_migrations_are_deployed() -> None:
    assert {named(manifest) for manifest in DEPLOYED} == {*(f"Deployment {name}" for name in SERVICES), "Job migrate"}


@pytest.mark.parametrize("manifest", DEPLOYED, ids=named)
def test_containers_have_probes_limits_and_a_read_only_file_system(manifest: dict[str, Any]) -> None:
    (container,) = containers(manifest)
    assert container["resources"]["limits"]["memory"]
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert ":" in container["image"]
    if manifest["kind"] == "Deployment":
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[probe]["httpGet"]["port"] in ports, probe
        assert container["livenessProbe"]["httpGet"]["path"] != container["readinessProbe"]["httpGet"]["path"]


def test_every_setting_exists() -> None:
    assert settings_of(OBJECTS).keys() <= SETTINGS.keys() - SECRET_SETTINGS


@pytest.mark.parametrize("manifest", DEPLOYED, ids=named)
def test_each_container_gets_the_secrets_that_it_uses_only(manifest: dict[str, Any]) -> None:
    (container,) = containers(manifest)
    name = manifest["metadata"]["name"]
    own = {f"DATABASE_URL_{store.upper()}" for store in (stores_of([name]) if name in SERVICES else STORES)}
    others = {
        "migrate": {"DATABASE_URL"},
        "identity": {"SIGNING_KEY"},  # signs
        "gateway": {"SIGNING_KEY"},  # checks
        "payout": {"DEBTOR_IBAN", "DEBTOR_BIC"},
    }
    assert container["envFrom"] == [{"configMapRef": {"name": "passculture"}}]
    assert secrets_of(container) == {
        variable: ("passculture-admin" if variable == "DATABASE_URL" else "passculture", variable)
        for variable in {"AMQP_URI"} | own | others.get(name, set())
    }


def test_a_rolling_release_stays_below_the_limit_of_database_connections() -> None:
    """The sum is below PostgreSQL's limit, and the comment in settings.yaml has the same sum."""
    connections = FOR_MIGRATIONS + RESERVED_FOR_SUPERUSERS
    for manifest in DEPLOYED:
        if manifest["kind"] == "Deployment":
            service, spec = manifest["metadata"]["name"], manifest["spec"]
            assert spec["strategy"]["rollingUpdate"]["maxSurge"] == 0
            pods = spec["replicas"] + spec["strategy"]["rollingUpdate"]["maxUnavailable"]  # the terminating ones
            connections += pods * sum(connections_of(OBJECTS, service, store) for store in stores_of([service]))
    assert connections <= MAX_CONNECTIONS - FOR_OPERATORS
    comment = (BASE / "settings.yaml").read_text("utf-8")
    assert f"= {connections} with {settings_of(OBJECTS)['POOL_SIZE']}" in comment


def test_the_job_of_migrations_is_deleted_before_the_next_release() -> None:
    """A Job is immutable: it is deleted by its time to live, or by the tool that applies the base."""
    (job,) = (manifest for manifest in DEPLOYED if manifest["kind"] == "Job")
    assert job["spec"]["ttlSecondsAfterFinished"] <= 600
    assert job["metadata"]["annotations"] == {
        "argocd.argoproj.io/hook": "Sync",
        "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
        "kustomize.toolkit.fluxcd.io/force": "enabled",
    }
    assert "delete job migrate --ignore-not-found" in (BASE.parent / "README.md").read_text("utf-8")


def test_the_tag_of_the_image_is_the_version_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {container["image"] for manifest in DEPLOYED for container in containers(manifest)} == {
        f"passculture:{project['version']}"
    }


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed: the files alone are checked")
def test_kustomize_builds_the_objects_of_the_files() -> None:
    files = {(one["kind"], one["metadata"]["name"]): one for one in assembled()}
    assert {(one["kind"], one["metadata"]["name"]) for one in OBJECTS} == files.keys()
    for manifest in DEPLOYED:
        (file_container,), (built_container,) = (
            containers(files[manifest["kind"], manifest["metadata"]["name"]]),
            containers(manifest),
        )
        assert {**file_container, "image": ""} == {**built_container, "image": ""}
