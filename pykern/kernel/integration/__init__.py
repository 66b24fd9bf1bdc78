"""Tests that the running kernel makes of itself when its profile asks for them (MEL-41, MEL-42)."""
