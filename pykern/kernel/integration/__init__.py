"""What the running kernel tells and tests of itself, as its profile asks for (MEL-41, MEL-42)."""

from pykern.kernel.integration import mellos, microkernel, myria, rmp, scarlett
from pykern.kernel.integration.story import STORIES, Step, Story

__all__ = ["STORIES", "Step", "Story", "mellos", "microkernel", "myria", "rmp", "scarlett"]
