"""The BIOS boot loader of our images: its source, and what builds it."""
