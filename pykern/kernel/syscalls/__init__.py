"""System calls: argument checking, one file per subject."""
