"""`python -m tests.fuzz`: see `docs/explanation/fuzzing.md`."""

import re
from collections import Counter
from pathlib import Path

import typer
from wasabi import MarkdownRenderer, msg

from .campaign import Summary, run_campaign
from .units import read_input, units

CODE = re.compile("D[0-9]{3}")


DOCUMENTS = typer.Option(100_000, help="How many random documents.")
FILES = typer.Option(20_000, help="How many random files.")
SEED = typer.Option(0, help="The same seed gives the same inputs.")
MINUTES = typer.Option(0, help="Stop after that many minutes; 0: not before the end.")
WORKERS = typer.Option(2, min=1, help="How many processes.")
OUTPUT = typer.Option(Path("fuzz-findings"), help="The folder for inputs of findings.")
MODEL = typer.Option(None, help="A trained pipeline: its documents are random texts.")
AGAIN = typer.Option(None, help="Run one of these once more, with its traceback.")


def main(
    documents: int = DOCUMENTS,
    files: int = FILES,
    seed: int = SEED,
    minutes: float = MINUTES,
    workers: int = WORKERS,
    output: Path = OUTPUT,
    model: str | None = MODEL,
    again: Path | None = AGAIN,
) -> None:
    """Send random documents and broken files through the package. Exits with 1 on a finding: an
    exception that is not one of the package's own errors, or a wrong result."""
    if again:
        msg.good(f"No finding: {dict(read_input(again).run())}")
        return
    summary = run_campaign(
        units(documents, files), seed, output, n_workers=workers, minutes=minutes, model=model
    )
    print_summary(summary, seed)
    if summary.findings:
        raise typer.Exit(1)


def print_summary(summary: Summary, seed: int) -> None:
    """The tables of a campaign, in Markdown."""
    print(f"Seed {seed}, {summary.seconds / 60:.1f} minutes\n")
    errors: Counter[str] = Counter()
    rows = []
    for kind, outcomes in sorted(summary.outcomes.items()):
        own = Counter({code: n for code, n in outcomes.items() if CODE.fullmatch(code)})
        errors += own
        names = [*((name, n) for name, n in outcomes.most_common() if name not in own)]
        names += [("one of the package's errors", own.total())]
        shown = ", ".join(f"{name} {n:,}" for name, n in names if n)
        rows.append([kind, f"{summary.n_inputs[kind]:,}", shown])
    md = MarkdownRenderer()
    md.add(md.table(rows, ["inputs", "number", "outcomes"]))
    md.add(md.table([[code, f"{n:,}"] for code, n in sorted(errors.items())], ["error", "number"]))
    print(md.text)
    print(f"\nFindings: {len(summary.findings)}")
    for finding in summary.findings:
        print(f"- {finding}")


if __name__ == "__main__":
    typer.run(main)
