"""The computer around the CPU: board, devices, firmware, media and boot protocols."""
