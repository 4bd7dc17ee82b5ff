"""`compare`: methods and seeds, trained, evaluated and compared on one corpus."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import typer

from ..experiments.folds import join, make_folds
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
    dev: Path | None = typer.Option(
        None, "--dev", help="The development corpus (.spacy).", exists=True
    ),
    folds: int | None = typer.Option(
        None,
        "--folds",
        min=2,
        help="Instead of --dev: cut the training corpus into so many parts, each of which is the "
        "development corpus once (cross-validation).",
    ),
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
    """Train methods with several seeds, as far as that has not been done, and compare them, on a
    development corpus or by cross-validation: a run
    that was interrupted goes on, one that is finished is left as it is. Settings of all configs can
    be changed by options such as --training.max_steps 100."""
    if (dev is None) == (folds is None):
        raise typer.BadParameter("give a development corpus by --dev, or --folds")
    runs = [Run(method, int(seed)) for method in methods.split() for seed in seeds.split()]
    experiment = Experiment(configs, train, dev or train, output, encoder, ctx.args, gpu_id)
    experiments = [experiment] if folds is None else make_folds(experiment, folds)
    figures = read_json(published).get(corpus, {}) if published else {}
    records: dict[str, list[dict[str, Any]]] = {}
    for number, part in enumerate(experiments, start=1):
        fold = {} if folds is None else {"fold": number}
        if fold:
            msg.divider(f"Part {number} of {folds}")
        for method, found in complete_all(part, runs, jobs=jobs, tell=tell_run).items():
            records.setdefault(method, []).extend({**record, **fold} for record in found)
    _write_report(experiments, records, report, baseline or runs[0].method, figures)
    n_runs = len(runs) * len(experiments)
    failed = n_runs - sum(map(len, records.values()))
    if failed:
        msg.fail(f"{failed} of {n_runs} runs failed; type the command again to go on", exits=1)


def _write_report(
    experiments: list[Experiment],
    records: dict[str, list[dict[str, Any]]],
    folder: Path,
    baseline: str,
    figures: dict[str, dict[str, float]],
) -> None:
    # Only seeds with which no part has failed.
    seeds = {
        method: [
            seed for seed, n in Counter(r["seed"] for r in rows).items() if n == len(experiments)
        ]
        for method, rows in records.items()
    }
    pooled = {
        method: pool([join([e.judge(Run(method, seed)) for e in experiments]) for seed in its])
        for method, its in seeds.items()
        if its
    }
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
    if not pooled:
        return
    scores = {method: score_judgement(j, subsets=True) for method, j in pooled.items()}
    charts = {"subsets.png": plot_subsets(scores), "curves.png": plot_curves(records)}
    for name, figure in charts.items():
        with replacing(folder / name) as draft:
            figure.savefig(draft, format="png", dpi=150)
    msg.good(f"Table, charts and records: {folder}")
