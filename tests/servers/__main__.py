"""Record what the servers export: ``python -m servers [NAME…]``."""

import sys
import tempfile
from pathlib import Path

from servers.catalogue import SERVERS
from servers.proof import run
from servers.recording import record
from servers.starting import started

for server in SERVERS:
    if not sys.argv[1:] or server.name in sys.argv[1:]:
        print(server.name, flush=True)
        with (
            tempfile.TemporaryDirectory(prefix="serinus-") as place,
            tempfile.TemporaryDirectory(prefix="serinus-") as folder,
            started(server, Path(place)) as running,
        ):
            record(server, run(server, running, Path(folder)))
