"""Oracles of the instruction tests: one instruction executed on the host CPU or by Unicorn."""
