"""What was spent of the budgets of each day, to the unit, whatever process spent it."""

from __future__ import annotations

from datetime import date

from ghostbust.store.connection import Connection


class Spending:
    """The table ``spent``: one row for each day and budget."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, day: date) -> dict[str, float]:
        """What was spent on the day, by budget; without those of which nothing was."""
        rows = self._connection.rows(
            "SELECT budget, amount FROM spent WHERE day = ?", (day.isoformat(),)
        )
        return {row["budget"]: row["amount"] for row in rows}

    def take(self, day: date, amounts: dict[str, float], limits: dict[str, float]) -> bool:
        """Spends the amounts, all or none; False, and nothing is spent, where one has too little.

        A budget without a limit is only counted. What was taken and not used is given back with
        negative amounts.
        """
        with self._connection.write() as connection:
            connection.execute("SAVEPOINT taking")
            for budget, amount in amounts.items():
                row = connection.execute(
                    "INSERT INTO spent (day, budget, amount) VALUES (?, ?, max(0, ?))"
                    " ON CONFLICT DO UPDATE SET amount = max(0, amount + ?) RETURNING amount",
                    (day.isoformat(), budget, amount, amount),
                ).fetchall()[0]
                if amount > 0 and row[0] > limits.get(budget, row[0]):
                    connection.execute("ROLLBACK TO taking")
                    return False
        return True
