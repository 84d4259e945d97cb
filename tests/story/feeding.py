"""The process that is killed: it runs a source until nothing more comes, and says on stdout what it has kept.

``python -m tests.story.feeding HOME NAME``, with ``FAULT`` in the environment or killed from outside.
"""

from __future__ import annotations

import json
import sys

from pipeline_core.flows import feeds
from pipeline_core.store import Store


def main(home: str, name: str) -> None:
    with Store.open(home) as store:
        print(json.dumps({"opened": True}), flush=True)
        report = feeds.run_source(store, name, progress=lambda _share, text: print(json.dumps(text), flush=True))
        print(json.dumps({"stopped": report.stopped, "errors": report.errors, "notes": report.notes}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
