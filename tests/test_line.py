"""The files that say what to install, and what the project is, agree with each other."""

import importlib.metadata
import itertools
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from moelaws.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = [Requirement(line) for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_lock_names_versions_and_no_address():
    assert LOCK
    assert all(str(pin.specifier).startswith("==") and pin.url is None for pin in LOCK)
    assert not [line for line in read("requirements.lock").splitlines() if ":" in line or line.startswith("-")]


def test_lock_satisfies_every_requirement():
    extras = PROJECT["optional-dependencies"]
    wanted = itertools.chain(PROJECT["dependencies"], extras["book"], extras["test"])
    unsatisfied = []
    for line in wanted:
        requirement = Requirement(line)
        pins = [pin for pin in LOCK if pin.name == requirement.name.lower()]
        versions = [str(pin.specifier).removeprefix("==") for pin in pins]
        if not versions or not all(map(requirement.specifier.contains, versions)):
            unsatisfied.append(line)
    assert not unsatisfied


def test_installed_versions_are_those_of_the_lock():
    pins = [pin for pin in LOCK if pin.marker is None or pin.marker.evaluate()]
    installed = {pin.name: importlib.metadata.version(pin.name) for pin in pins}
    assert not [str(pin) for pin in pins if not pin.specifier.contains(installed[pin.name], prereleases=True)]


def test_conda_environment_takes_all_from_the_lock():
    python, pip, from_pip = yaml.safe_load(read("environment.yml"))["dependencies"]
    assert python.startswith("python=")
    assert SpecifierSet(PROJECT["requires-python"]).contains(python.removeprefix("python="))
    assert (pip, from_pip) == ("pip", {"pip": ["-r requirements.lock", "-e ."]})


def test_binder_takes_all_from_the_lock():
    assert SpecifierSet(PROJECT["requires-python"]).contains(
        read(".binder/runtime.txt").strip().removeprefix("python-")
    )
    assert read(".binder/requirements.txt").splitlines()[:2] == ["-r ../requirements.lock", "-e ."]


def test_citation_is_of_this_version_and_repository():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == yaml.safe_load(read("_config.yml"))["repository"]["url"]


def test_continuous_integration_runs_the_commands_of_the_readme():
    commands = [line for line in read(".ci/run").splitlines() if line.startswith("make ")]
    assert commands == ["make book", "make test", "make test-slow"]
    assert not [name for name in commands if name not in read("README.md")]


def test_workflows_run_it_with_every_python_from_the_oldest():
    job = yaml.safe_load(read(".github/workflows/tests.yml"))["jobs"]["tests"]
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert f">={job['strategy']['matrix']['python'][0]}" == PROJECT["requires-python"]


@pytest.mark.parametrize("extra", [None, "book", "test"])
def test_every_requirement_has_a_lower_bound(extra):
    wanted = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    assert not [line for line in wanted if not set("=>") & set(line)]
