"""Record what the servers export: ``python -m servers [NAME…]``."""

import sys
import tempfile
from pathlib import Path

from servers.catalogue import SERVERS
from servers.proof import run
from servers.recording import record

for server in SERVERS:
    if not sys.argv[1:] or server.name in sys.argv[1:]:
        print(server.name, flush=True)
        with tempfile.TemporaryDirectory(prefix="serinus-") as folder:
            record(server, run(server, Path(folder)))
