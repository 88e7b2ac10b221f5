"""The manifests of deploy/k8s/base as Kubernetes receives them, from kubectl or, without it, from the files."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from services.identity.bootstrap import KEY_CONNECTIONS
from tests import image
from tests.platform import ROOT

BASE = ROOT / "deploy" / "k8s" / "base"
Manifest = dict[str, Any]


def built() -> list[Manifest]:
    """All objects of the base."""
    if shutil.which("kubectl") is None:
        return assembled()
    done = subprocess.run(["kubectl", "kustomize", str(BASE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def assembled() -> list[Manifest]:
    """The objects of the kustomization's files, with its namespace and image tag."""
    kustomization = yaml.safe_load((BASE / "kustomization.yaml").read_text("utf-8"))
    tags = {image["name"]: image["newTag"] for image in kustomization["images"]}
    objects = [
        one for name in kustomization["resources"] for one in yaml.safe_load_all((BASE / name).read_text("utf-8"))
    ]
    for found in objects:
        if found["kind"] != "Namespace":
            found["metadata"]["namespace"] = kustomization["namespace"]
        for container in containers(found):
            container["image"] = f"{container['image']}:{tags[container['image']]}"
    return objects


def containers(found: Manifest) -> list[Manifest]:
    """The containers of a Deployment or a Job; empty for other objects."""
    pods: Manifest = found.get("spec", {}).get("template", {}).get("spec", {})
    return list(pods.get("containers", []))


def settings_of(objects: Sequence[Manifest]) -> dict[str, str]:
    """The settings in the ConfigMap."""
    (data,) = (found["data"] for found in objects if found["kind"] == "ConfigMap")
    return dict(data)


def secrets_of(container: Manifest) -> dict[str, tuple[str, str]]:
    """The name and key of the secret for each variable."""
    references = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in container["env"]}
    return {name: (reference["name"], reference["key"]) for name, reference in references.items()}


def environment_of(
    container: Manifest, objects: Sequence[Manifest], secrets: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """The environment of a pod, from the image, the ConfigMap and the secrets.

    Raises KeyError if a secret has no such key, because the pod would not start.
    """
    assert container["envFrom"] == [{"configMapRef": {"name": "passculture"}}], "envFrom exposes a whole secret"
    filled = {name: secrets[secret][key] for name, (secret, key) in secrets_of(container).items()}
    return {**image.environment(), **settings_of(objects), **filled}


def connections_of(objects: Sequence[Manifest], service: str, store: str) -> int:
    """The maximum number of connections of a pod to a store."""
    size = int(settings_of(objects)["POOL_SIZE"])
    return size if store == service else min(size, KEY_CONNECTIONS)


def command_of(container: Manifest) -> list[str]:
    """The command of the container, by default the image's entry point, with its arguments."""
    return [*container.get("command", image.command_of("ENTRYPOINT")), *container.get("args", [])]


def probe_of(container: Manifest, kind: str) -> tuple[str, int]:
    """The path and port of a probe."""
    probe = container[kind]["httpGet"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    return probe["path"], ports[probe["port"]]
