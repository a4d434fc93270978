"""What the CSMS and the stations share: one JSON object a line, and every complaint of the library as a fault."""
import json
import logging
import sys
from datetime import datetime, timezone

from ocpp.exceptions import NotImplementedError


def say(**what):
    print(json.dumps(what), flush=True)


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Complaints(logging.Handler):
    """The library checks each frame against its schemas and logs what it refuses. A question that a script has no answer to is
    none of that."""

    def emit(self, record):
        if record.exc_info and isinstance(record.exc_info[1], NotImplementedError) or "CALLError" in record.msg:
            return  # who asked says what a CALLERROR means
        cause = f": {record.exc_info[1]!r}" if record.exc_info else ""
        say(fault=record.getMessage() + cause)


logging.getLogger("ocpp").addHandler(Complaints(level=logging.WARNING))
logging.getLogger("ocpp").propagate = False
sys.excepthook = lambda kind, error, _: say(fault=f"{kind.__name__}: {error}")
