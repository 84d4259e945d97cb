"""What people said the windows of a model are to be compared with; a choice is never changed, only followed.

Neighbours: ``flows/baselines`` turns a choice into counts. Refused: guessing one.
"""

from __future__ import annotations

from dataclasses import replace

from pipeline_core.records import Act, BaselineChoice, Deed, dump, dump_text, load
from pipeline_core.store.audit import Audit
from pipeline_core.store.database import Database


class Choices:
    """``store.choices``.

    Parameters
    ----------
    database : Database
        Where the rows are.
    audit : Audit
        Of the same home.
    """

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    def add(self, choice: BaselineChoice) -> BaselineChoice:
        """Keep a choice as the newest of its model.

        Parameters
        ----------
        choice : BaselineChoice
            Its number is given here.

        Returns
        -------
        BaselineChoice
            With its number.
        """
        with self._database.transaction():
            kept = replace(choice, number=len(self.list(choice.model)) + 1)
            self._database.run(
                "INSERT INTO baseline_choices (model, number, record) VALUES (?, ?, ?)",
                [kept.model, kept.number, dump_text(kept)],
            )
            said = dump(kept)
            about = {name: said[name] for name in ("number", "kind", "season", "start", "end")}
            deed = Deed(act=Act.BASELINE, model=kept.model, by=kept.decided_by, reason=kept.reason, about=about)
            self._audit.add(deed)
        return kept

    def list(self, model: str) -> tuple[BaselineChoice, ...]:
        """Give the choices of a model, newest first.

        Parameters
        ----------
        model : str
            The model's name.

        Returns
        -------
        tuple of BaselineChoice
        """
        found = self._database.rows("SELECT record FROM baseline_choices WHERE model = ? ORDER BY number DESC", [model])
        return tuple(load(BaselineChoice, row[0]) for row in found)

    def newest(self, model: str) -> BaselineChoice | None:
        """Give the choice that holds; None: nobody has chosen.

        Parameters
        ----------
        model : str
            The model's name.

        Returns
        -------
        BaselineChoice or None
        """
        return next(iter(self.list(model)), None)
