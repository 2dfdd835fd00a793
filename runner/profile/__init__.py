"""From a profile's name to one validated `Profile` that knows where each of its values came from."""

from runner.profile.faults import Fault, ProfileFaults
from runner.profile.load import LoadedProfile, load_profile
from runner.profile.origins import Origin, Origins

__all__ = ["Fault", "LoadedProfile", "Origin", "Origins", "ProfileFaults", "load_profile"]
