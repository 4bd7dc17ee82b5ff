"""`tune`: the same budget of trials for each method."""

import json
from pathlib import Path
from typing import Any

import typer
from spacy.cli._util import parse_config_overrides

from ..experiments.tuning import Probes, Rates, tuning_table
from ..files import replacing
from ..models.encoding import Encoding
from .app import new_app
from .messages import msg, percent, readable_errors

app = new_app()


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def tune_command(
    ctx: typer.Context,
    methods: str = typer.Option(..., "--methods", "-m", help="Configs' names, spaces between."),
    train: Path = typer.Option(..., "--train", help="The training corpus (.spacy).", exists=True),
    dev: Path = typer.Option(..., "--dev", help="The development corpus (.spacy).", exists=True),
    report: Path = typer.Option(..., "--report", help="The folder for table and records."),
    configs: Path = typer.Option(Path("configs"), "--configs", help="The folder of the configs."),
    encoder: str | None = typer.Option(None, "--encoder", help="The configs' paths.encoder."),
    head_rates: str = typer.Option(
        "1e-4 3e-4 1e-3 3e-3 1e-2", "--head-rates", help="The head's rates, spaces between."
    ),
    n_train: int = typer.Option(0, "--n-train", help="Training documents; 0 takes all."),
    n_dev: int = typer.Option(0, "--n-dev", help="Development documents; 0 takes all."),
    steps: int = typer.Option(300, "--steps", min=4, help="The steps of a whole training."),
    eval_every: int = typer.Option(50, "--eval-every", min=1, help="Steps between evaluations."),
    seed: int = typer.Option(66, "--seed", help="The seed."),
) -> None:
    """Try rates for methods, the same budget for each, as far as that has not been done. Of the
    trials of a method, the worse half stops after a quarter and after half of the steps."""
    trials = [Rates(0.0, float(rate)) for rate in head_rates.split()]
    overrides: dict[str, Any] = parse_config_overrides(ctx.args)
    if encoder is not None:
        overrides["paths.encoder"] = encoder
    results: dict[str, list[dict[str, Any]]] = {}
    encoded: dict[str, list[Encoding]] = {}
    with readable_errors():
        for method in methods.split():
            probes = Probes(
                config=configs / f"{method}.cfg",
                train=train,
                dev=dev,
                file=report / f"{method}.json",
                n_train=n_train,
                n_dev=n_dev,
                steps=steps,
                eval_every=eval_every,
                seed=seed,
                encoded=encoded,
                overrides=overrides,
            )
            results[method] = probes.run(trials)
            best = max(results[method], key=lambda trial: trial["f1"])
            msg.good(f"{method}: F1 {percent(best['f1'])} at {best['head_rate']:g}")
            _write(results, report, steps)


def _write(results: dict[str, list[dict[str, Any]]], report: Path, steps: int) -> None:
    table = tuning_table(results, steps)
    with replacing(report / "table.md") as draft:
        draft.write_text(table, encoding="utf8")
    with replacing(report / "table.json") as draft:
        draft.write_text(json.dumps(results, indent=1), encoding="utf8")
    print(table)
