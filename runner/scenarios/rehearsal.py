"""The profile as a scenario tries it: the session as it is, and everything around it as a trial needs it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runner.runs.lone_run import lone_profile
from runner.settings.auth import NoAuth
from runner.settings.endpoint import LocalEndpoint
from runner.settings.input import NoInput
from runner.settings.journal import JournalSettings
from runner.settings.output import AudioOutput
from runner.settings.profile import RealtimeSettings, is_live

if TYPE_CHECKING:
    from pathlib import Path

    from runner.profile.load import LoadedProfile
    from runner.scenarios.scenario import Scenario
    from runner.settings.profile import Profile


def rehearsed(loaded: LoadedProfile, scenario: Scenario, folder: Path, *, is_local: bool) -> LoadedProfile:
    """The profile of one run of a scenario.

    Args:
        loaded: The profile.
        scenario: The scenario.
        folder: Where the run's journal is written, as `session.jsonl`, and what was heard, as `session.wav`.
        is_local: Whether the local endpoint takes the place of the profile's.
    """
    profile = loaded.profile
    paths = str(folder).replace("{", "{{").replace("}", "}}")
    changes: dict[str, Any] = {
        "report": None,
        "input": NoInput(kind="none"),
        "outputs": [AudioOutput(kind="audio", path=f"{paths}/session.wav", track="both")] if _speaks(profile) else [],
        "journal": JournalSettings(path=f"{paths}/session.jsonl"),
    }
    if is_local:
        changes |= {"endpoint": _endpoint(profile, scenario), "auth": NoAuth(kind="none"), "model": None}
    # What is tried is this profile, and no other that would take over.
    return replace(loaded, profile=lone_profile(profile, until="input-end", **changes), fallbacks=())


def _endpoint(profile: Profile, scenario: Scenario) -> LocalEndpoint:
    """The local endpoint with the scenario's script, and with the profile's own where it answers there too."""
    own = profile.endpoint.script if isinstance(profile.endpoint, LocalEndpoint) else []
    hears_models = any(turn.spoken == "model" for turn in scenario.turns)
    return LocalEndpoint(
        kind="local",
        script=[*scenario.script, *own],
        speech="models" if hears_models else "simulated",
        faults=scenario.faults,
        fault_seed=0,
    )


def _speaks(profile: Profile) -> bool:
    session = profile.session
    if is_live(session):
        return True
    return isinstance(session, RealtimeSettings) and session.output_modalities != ["text"]
