"""deploy/k8s/base as Kubernetes gets it: by kubectl where it is installed, else put together from the files."""

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
    """Every object of the base."""
    if shutil.which("kubectl") is None:
        return assembled()
    done = subprocess.run(["kubectl", "kustomize", str(BASE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def assembled() -> list[Manifest]:
    """The objects of the files that the kustomization names, in its namespace, with its image's tag."""
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
    """Of a Deployment or a Job; of anything else none."""
    pods: Manifest = found.get("spec", {}).get("template", {}).get("spec", {})
    return list(pods.get("containers", []))


def settings_of(objects: Sequence[Manifest]) -> dict[str, str]:
    """What the ConfigMap tells every service."""
    (given,) = (found["data"] for found in objects if found["kind"] == "ConfigMap")
    return dict(given)


def secrets_of(container: Manifest) -> dict[str, tuple[str, str]]:
    """Each variable that a secret fills: the secret's name and the key in it."""
    references = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in container["env"]}
    return {name: (reference["name"], reference["key"]) for name, reference in references.items()}


def environment_of(
    container: Manifest, objects: Sequence[Manifest], secrets: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """All that a pod is given: what the image says, what the manifest names, and nothing else. KeyError where a secret
    has no such key, as the pod would not start."""
    assert container["envFrom"] == [{"configMapRef": {"name": "passculture"}}], "a whole secret, for one line of it"
    filled = {name: secrets[secret][key] for name, (secret, key) in secrets_of(container).items()}
    return {**image.environment(), **settings_of(objects), **filled}


def connections_of(objects: Sequence[Manifest], service: str, store: str) -> int:
    """How many connections a pod of a service has to a store at most."""
    size = int(settings_of(objects)["POOL_SIZE"])
    return size if store == service else min(size, KEY_CONNECTIONS)


def command_of(container: Manifest) -> list[str]:
    """What the container starts: the image's entry point where the manifest names no command, and its arguments."""
    return [*container.get("command", image.words("ENTRYPOINT")), *container.get("args", [])]


def probe_of(container: Manifest, kind: str) -> tuple[str, int]:
    """The path and the port that a probe of the container asks."""
    asked = container[kind]["httpGet"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    return asked["path"], ports[asked["port"]]
