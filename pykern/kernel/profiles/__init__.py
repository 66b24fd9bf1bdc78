"""Profiles: which policy, limits, layout, gates and first programs a kernel is made of."""

from pykern.kernel.profiles import microkernel, myria, rmp, scarlett
from pykern.kernel.profiles.profile import PROFILES, Profile

__all__ = ["PROFILES", "Profile", "microkernel", "myria", "rmp", "scarlett"]
