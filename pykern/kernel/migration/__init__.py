"""A process as an image, and its way to another machine while it runs (MYR-25)."""

from pykern.kernel.migration.image import ProcessImage, capture
from pykern.kernel.migration.restore import restore
from pykern.kernel.migration.service import Journey, Migrations, Outside, Status
from pykern.kernel.migration.source import migrate
from pykern.kernel.migration.target import receive
from pykern.kernel.migration.wire import BadMessage, LinkClosed, SocketLink, Wire

__all__ = [
    "BadMessage",
    "Journey",
    "LinkClosed",
    "Migrations",
    "Outside",
    "ProcessImage",
    "SocketLink",
    "Status",
    "Wire",
    "capture",
    "migrate",
    "receive",
    "restore",
]
