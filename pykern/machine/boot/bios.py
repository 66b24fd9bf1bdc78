"""Start a medium as a BIOS does: its El Torito image or first sector, in real mode."""

from __future__ import annotations

from pykern.machine.boot.protocol import BootError, BootMachine, BootOptions
from pykern.machine.media import MediaError


class BiosProtocol:
    """Media that are started by the built-in BIOS, which the board has."""

    name = "bios"
    looks_for = "nothing; --firmware bios chooses it"

    def probe(self, _image: bytes) -> bool:
        """Leave every image to a protocol that knows what is in it."""
        return False

    def load(self, image: bytes, _machine: BootMachine, options: BootOptions) -> None:
        """Put the medium into its drive and let the BIOS start it."""
        if options.start_medium is None:
            raise BootError(f"{options.name}: this machine has no board, expected one with a BIOS")
        try:
            options.start_medium(image, options.name)
        except MediaError as error:
            raise BootError(str(error)) from None
