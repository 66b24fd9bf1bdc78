"""pykern: an x86-64 computer and its operating system, in Python and Cython."""
