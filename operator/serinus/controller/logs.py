"""How log lines look: for people or for collectors. Must not know what is logged."""

import json
import logging
import sys
from datetime import UTC, datetime

from serinus.settings import Settings

_PLACE = ("namespace", "model_deployment")


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{key: getattr(record, key) for key in _PLACE if hasattr(record, key)},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """Time, level, which ModelDeployment, message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        place = "/".join(str(getattr(record, key)) for key in _PLACE if hasattr(record, key))
        text = f"{at} {record.levelname:<7} {place + ': ' if place else ''}{record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def set_up_logging(settings: Settings) -> None:
    """Send all log lines to standard error in the format and from the level that the settings name."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    # kopf tells of each event that a handler succeeded; the client's pool repeats each failure that we report.
    for name, level in (("kopf", logging.WARNING), ("asyncio", logging.WARNING), ("urllib3", logging.ERROR)):
        logging.getLogger(name).setLevel(level)
