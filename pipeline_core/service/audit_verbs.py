"""The verbs about the audit file: list what was decided, verify that nothing was changed since, mend the file.

Neighbours: ``verbs`` puts them into its table, ``store.audit`` does what they ask. It refuses to mend without a name.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline_core.records import dump
from pipeline_core.service.asking import Call, Option, Verb
from pipeline_core.store.home import Store

LAST = 50


def _list(store: Store, call: Call) -> object:
    last = call.arguments.get("last")
    entries = store.audit.entries(call.model or None, last=LAST if last is None else last)
    return {"entries": [dump(entry) for entry in entries]}


def _verify(store: Store, call: Call) -> object:
    return store.audit.verify(head=call.arguments.get("head"))


def _mend(store: Store, call: Call) -> object:
    return store.audit.mend(by=call.arguments["by"], reason=call.arguments["reason"])


AUDIT: Mapping[str, Verb] = {
    "audit list": Verb(
        summary="list who decided what, when and why, newest first",
        run=_list,
        model="optional",
        options={"last": Option(kind="whole", help=f"how many ({LAST})")},
    ),
    "audit verify": Verb(
        summary="read the audit file again and say which line was changed, taken out, moved, cut off or put in",
        run=_verify,
        no=lambda report: not report.whole,
        model="no",
        options={
            "head": Option(help="a hash of the last entry that was noted elsewhere: it must still be in the chain")
        },
    ),
    "audit mend": Verb(
        summary="keep a broken audit file aside and write it anew from the database; who and why become an entry",
        run=_mend,
        no=lambda report: not report.whole,
        model="no",
        options={
            "by": Option(help="who decides", required=True),
            "reason": Option(help="why, in a sentence", required=True),
        },
    ),
}
"""What is asked of the audit file; part of ``verbs.VERBS``."""
