"""The past of a machine: forked copies of the whole emulator, and exact re-execution from them."""
