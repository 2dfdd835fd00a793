"""What is shipped for Kubernetes and Compose fits their schemas and each other."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from tests.conftest import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
FLUSHING_S = 5


def _names(paths: list[Path]) -> list[str]:
    return [path.stem for path in paths]


def _pods(ray_job: dict[str, Any]) -> list[dict[str, Any]]:
    """The pods of a RayJob, as manifests of their own."""
    cluster = ray_job["spec"]["rayClusterSpec"]
    templates = [group["template"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]
    return [{"apiVersion": "v1", "kind": "Pod", **each} for each in templates]


@pytest.mark.parametrize("path", MANIFESTS, ids=_names(MANIFESTS))
def test_a_manifest_fits_the_schema_of_kubernetes(path: Path) -> None:
    """Strictly: no key is unknown. Of a RayJob, which is not Kubernetes' own, its pods."""
    reason = "needs the group deploy"
    checker: Any = pytest.importorskip("kubernetes_validate", reason=reason)
    yaml: Any = pytest.importorskip("yaml", reason=reason)

    for document in yaml.safe_load_all(path.read_text()):
        for each in _pods(document) if document["kind"] == "RayJob" else [document]:
            checker.validate(each, checker.latest_version(), strict=True)


def test_a_ray_job_says_what_kuberay_knows() -> None:
    """The keys are those of `ray.io/v1`, as far as they are used; the command is one that rt-run takes."""
    yaml: Any = pytest.importorskip("yaml", reason="needs the group deploy")
    from runner.cli.main import _parser

    job = yaml.safe_load((DEPLOY / "kubernetes" / "batch-rayjob.yaml").read_text())
    spec = job["spec"]
    cluster = spec["rayClusterSpec"]
    (workers,) = cluster["workerGroupSpecs"]
    program, *arguments = shlex.split(spec["entrypoint"])
    options = _parser().parse_args(arguments)

    assert job["apiVersion"] == "ray.io/v1"
    assert {*spec} == {
        "entrypoint",
        "submissionMode",
        "backoffLimit",
        "shutdownAfterJobFinishes",
        "ttlSecondsAfterFinished",
        "rayClusterSpec",
    }
    assert (spec["submissionMode"], spec["shutdownAfterJobFinishes"]) == ("HTTPMode", True)
    assert {*cluster} == {"rayVersion", "headGroupSpec", "workerGroupSpecs"}
    assert {*cluster["headGroupSpec"]} == {"rayStartParams", "template"}
    assert {*workers} == {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}
    assert workers["minReplicas"] <= workers["replicas"] <= workers["maxReplicas"]
    assert (program, options.name, options.on) == ("rt-run", "transcribe", "ray")


@pytest.mark.parametrize("path", [*MANIFESTS, DEPLOY / "compose.yaml"], ids=lambda path: path.stem)
def test_a_container_may_drain_before_it_is_killed(path: Path) -> None:
    """The time to stop is longer than the default grace period and the time for flushing together."""
    from runner.settings.run_settings import RunSettings

    text = path.read_text()
    times_s = re.findall(r"(?:terminationGracePeriodSeconds|stop_grace_period): (\d+)", text)

    assert len(times_s) == len(re.findall(r"image: rt-run", text))
    assert all(int(each) > RunSettings().grace_s + FLUSHING_S for each in times_s)


def test_the_containerfile_has_no_fault_that_is_known() -> None:
    """As hadolint knows them."""
    linter = which("hadolint", path=str(Path(sys.executable).parent)) or which("hadolint")
    if linter is None:
        pytest.skip("needs the group deploy")

    linted = subprocess.run([linter, str(DEPLOY / "Containerfile")], capture_output=True, text=True, check=False)

    assert (linted.returncode, linted.stdout) == (0, "")
