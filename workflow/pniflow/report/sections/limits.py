"""What this study cannot show, from what it says of itself."""

from __future__ import annotations

from typing import Any

from pniflow.report import blocks
from pniflow.report.blocks import Listing, Text
from pniflow.report.run_results import Results


def limits(results: Results) -> list[Any]:
    """Return what this design cannot show, from what the study says of itself."""
    design = str(results.study["design"]).lower()
    made = [row for row in results.rows if row.estimated]
    rows = sorted(made, key=lambda row: row.n_participants)
    items: list[Text] = []
    if results.study["simulated"]:
        items.append(["The data are simulated: nothing about people follows from them."])
    if "single" in design or "one arm" in design:
        items.append([
            "There is one arm and no control group: a difference between the sessions holds the passage of"
            " time,"
            " regression to the mean, repeated testing and expectation as well as anything the course may do."
            " It is a"
            " change and not an effect."
        ])  # fmt: skip
    if any(word in design for word in ("open", "unblind")):
        items.append(["Participants knew what they took part in: self-reports can follow expectation."])
    if rows:
        low, high = rows[0].n_participants, rows[-1].n_participants
        some: Text = [blocks.count(rows[0]), " to "] if low < high else []
        noun = " person" if high == 1 else " persons"
        wide = ": intervals are wide, and a difference that was not shown may well be there."
        items.append(
            ["Models rest on ", *some, blocks.count(rows[-1]), f"{noun}{wide if high < 100 else '.'}"]
        )
    items.append([
        "Associations are observed, not made: a third quantity may stand behind both measures, and the"
        " direction is open."
    ])  # fmt: skip
    exploratory = sum(row.role == "exploratory" for row in results.tested)
    if exploratory:
        items.append([
            blocks.tallied(exploratory, "exploratory/", "tests"),
            f" {'test is' if exploratory == 1 else 'tests are'} exploratory: p is"
            " adjusted within a family at most, so some p may be below the level by chance."
        ])  # fmt: skip
    if any(row.tested.kind == "between" for row in made):
        items.append([
            "Slopes between persons rest on means of few sessions each and are drawn towards zero by their"
            " unreliability."
        ])  # fmt: skip
    return [Listing([("", text) for text in items])]
