"""Bootable images: what is on them (`manifest`), how they are written (`build`), are they whole."""
