"""Profiles: which policy, limits, layout, gates and first programs a kernel is made of."""

from pykern.kernel.profiles import myria, scarlett
from pykern.kernel.profiles.profile import PROFILES, Profile

__all__ = ["PROFILES", "Profile", "myria", "scarlett"]
