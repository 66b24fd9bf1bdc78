"""Run single instructions from given states, in batches: the core's side of differential tests."""
