"""`compare`: methods and seeds, trained, evaluated and compared on one corpus."""

import json
from pathlib import Path
from typing import Any

import typer

from ..experiments.report import p_values, plot_curves, pool, to_markdown
from ..experiments.runs import Experiment, Run, complete_all
from ..files import read_json, replacing
from ..scoring.scorer import score_judgement
from ..visual.charts import plot_subsets
from .app import new_app
from .messages import GPU_ID, msg, tell_run

app = new_app()


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def compare_command(
    ctx: typer.Context,
    methods: str = typer.Option(..., "--methods", "-m", help="Configs' names, spaces between."),
    seeds: str = typer.Option("1", "--seeds", "-s", help="Seeds, with spaces between."),
    train: Path = typer.Option(..., "--train", help="The training corpus (.spacy).", exists=True),
    dev: Path = typer.Option(..., "--dev", help="The development corpus (.spacy).", exists=True),
    output: Path = typer.Option(..., "--output", "-o", help="The folder for the trained models."),
    report: Path = typer.Option(..., "--report", help="The folder for table, charts and records."),
    configs: Path = typer.Option(Path("configs"), "--configs", help="The folder of the configs."),
    encoder: str | None = typer.Option(None, "--encoder", help="The configs' paths.encoder."),
    baseline: str | None = typer.Option(
        None, "--baseline", help="The method that others are compared with; the first by default."
    ),
    published: Path | None = typer.Option(
        None, "--published", help="Published figures, by corpus and method (JSON).", exists=True
    ),
    corpus: str = typer.Option("", "--corpus", help="The corpus's name among these figures."),
    jobs: int = typer.Option(1, "--jobs", "-j", min=1, help="How many runs to train at once."),
    gpu_id: int = GPU_ID,
) -> None:
    """Train methods with several seeds, as far as that has not been done, and compare them: a run
    that was interrupted goes on, one that is finished is left as it is. Settings of all configs can
    be changed by options such as --training.max_steps 100."""
    runs = [Run(method, int(seed)) for method in methods.split() for seed in seeds.split()]
    experiment = Experiment(configs, train, dev, output, encoder, ctx.args, gpu_id)
    figures = read_json(published).get(corpus, {}) if published else {}
    records = complete_all(experiment, runs, jobs=jobs, tell=tell_run)
    _write_report(experiment, records, report, baseline or runs[0].method, figures)
    failed = len(runs) - sum(map(len, records.values()))
    if failed:
        msg.fail(f"{failed} of {len(runs)} runs failed; type the command again to go on", exits=1)


def _write_report(
    experiment: Experiment,
    records: dict[str, list[dict[str, Any]]],
    folder: Path,
    baseline: str,
    figures: dict[str, dict[str, float]],
) -> None:
    pooled = {
        method: pool([experiment.judge(Run(method, record["seed"])) for record in of_method])
        for method, of_method in records.items()
    }
    seeds = {method: [r["seed"] for r in of_method] for method, of_method in records.items()}
    # Pairs of runs are compared, so a method with seeds of its own is left out.
    comparable = {m: j for m, j in pooled.items() if seeds[m] == seeds.get(baseline)}
    p = p_values(comparable, baseline) if baseline in comparable else {}
    table = to_markdown(records, p, baseline=baseline, published=figures)
    print(table)
    lines = [json.dumps(record, ensure_ascii=False) for runs in records.values() for record in runs]
    with replacing(folder / "runs.jsonl") as draft:
        draft.write_text("".join(f"{line}\n" for line in lines), encoding="utf8")
    with replacing(folder / "table.md") as draft:
        draft.write_text(table, encoding="utf8")
    if not records:
        return
    scores = {method: score_judgement(j, subsets=True) for method, j in pooled.items()}
    charts = {"subsets.png": plot_subsets(scores), "curves.png": plot_curves(records)}
    for name, figure in charts.items():
        with replacing(folder / name) as draft:
            figure.savefig(draft, format="png", dpi=150)
    msg.good(f"Table, charts and records: {folder}")
