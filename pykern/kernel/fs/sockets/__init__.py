"""Sockets between processes of this machine (AF_UNIX); there is no network."""
