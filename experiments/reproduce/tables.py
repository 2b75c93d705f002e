"""The table of a run as text and as Markdown, beside the report's own figures."""

from __future__ import annotations

from experiments.report.printed import MISPRINT, PRINTED, Printed
from experiments.running.summary import Summary, cell, interval

NOTHING = Printed("", None, None, None)
MARK = "*"  # of a validation accuracy that is the record's, because the report prints another
NOTE = f"{MARK} {MISPRINT}"


def table(summaries: list[Summary], classes: int) -> str:
    """Return a line a row: accuracies (means and deviations over seeds) beside those of the report."""
    seeds = len(summaries[0]["seeds"])
    over = f"mean of {seeds} seeds ± their standard deviation" if seeds > 1 else "one seed"
    ours = f"this run, {classes} classes: {over}"
    width = max(len(summary["model"]) for summary in summaries) + 2
    lines = [
        f"{'':<{width}}{ours:<79}  the report (other data, 50 classes)",
        f"{'model':<{width}}{'train':<16}{'val':<16}{'test':<16}{'95 % of test':<16}{'s/epoch':<15}"
        f"  {'name':<19}{'train':<8}{'val':<9}test",
    ]
    for summary in summaries:
        printed = PRINTED.get(summary["model"], NOTHING)
        theirs = f"{printed.name:<19}{_figure(printed.train):<8}{recorded_val(printed):<9}{_figure(printed.test)}"
        lines.append(
            f"{summary['model']:<{width}}{''.join(f'{cell(summary, part):<16}' for part in ('train', 'val', 'test'))}"
            f"{interval(summary):<16}{summary['epoch_seconds']:<15.3f}  {theirs if printed.name else ''}".rstrip()
        )
    return "\n".join([*lines, *_note(summaries)])


def val_test_table(summaries: list[Summary], classes: int) -> str:
    """Return the accuracies over validation and test images together, and the numbers of parameters."""
    width = max(len(summary["model"]) for summary in summaries) + 2
    lines = [f"validation and test images together (chance {1 / classes:.3f}):"]
    lines += [
        f"{summary['model']:<{width}}{cell(summary, 'val_test'):<18}{summary['parameters']:>9,} parameters"
        for summary in summaries
    ]
    return "\n".join(lines)


def markdown(summaries: list[Summary]) -> str:
    """Return the table as Markdown; the report's validation accuracies are those of its records, where it has some."""
    lines = [
        "| row | train | val | test | 95 % of test | s/epoch | the report's row, on other data: val, test |",
        "|---|---|---|---|---|---|---|",
    ]
    for summary in summaries:
        printed = PRINTED.get(summary["model"])
        ours = [cell(summary, part, 3) for part in ("train", "val", "test")]
        theirs = f"{printed.name}: {recorded_val(printed)}, {_figure(printed.test)}" if printed else ""
        cells = [f"`{summary['model']}`", *ours, interval(summary), f"{summary['epoch_seconds']:.2f}", theirs]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, *(f"\n{note}" for note in _note(summaries))]) + "\n"


def recorded_val(printed: Printed) -> str:
    """Return the validation accuracy of the report's record, else the printed one; a misprint is marked."""
    value = printed.val if printed.recorded_val is None else printed.recorded_val
    return f"{_figure(value)}{MARK if printed.misprinted else ''}"


def _note(summaries: list[Summary]) -> list[str]:
    marked = any(PRINTED.get(summary["model"], NOTHING).misprinted for summary in summaries)
    return [NOTE] if marked else []


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
