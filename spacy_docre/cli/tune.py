"""`tune`: the same budget of trials for each method."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import typer
from spacy.cli._util import parse_config_overrides

from ..experiments.runs import Experiment, Run
from ..experiments.tuning import Probes, Rates, Trainings, rank, tuning_table
from ..files import replacing
from ..models.encoding import Encoding
from .app import new_app
from .messages import GPU_ID, msg, percent

app = new_app()


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def tune_command(
    ctx: typer.Context,
    methods: str = typer.Option(..., "--methods", "-m", help="Configs' names, spaces between."),
    train: Path = typer.Option(..., "--train", help="The training corpus (.spacy).", exists=True),
    dev: Path = typer.Option(..., "--dev", help="The development corpus (.spacy).", exists=True),
    output: Path = typer.Option(..., "--output", "-o", help="The folder for trials and table."),
    configs: Path = typer.Option(Path("configs"), "--configs", help="The folder of the configs."),
    encoder: str | None = typer.Option(None, "--encoder", help="The configs' paths.encoder."),
    encoder_rates: str = typer.Option(
        "3e-5 1e-4", "--encoder-rates", help="The encoder's rates, spaces between."
    ),
    head_rates: str = typer.Option(
        "3e-4 1e-3 3e-3", "--head-rates", help="The head's rates, spaces between."
    ),
    dropouts: str = typer.Option(
        "", "--dropouts", help="The head's dropout, spaces between; by default the config's."
    ),
    seed: int = typer.Option(66, "--seed", help="The seed of all trials."),
    frozen: bool = typer.Option(
        False,
        "--frozen",
        help="Probes: the encoder reads documents once, and the head alone learns.",
    ),
    n_train: int = typer.Option(0, "--n-train", help="Probes: training documents; 0 takes all."),
    n_dev: int = typer.Option(0, "--n-dev", help="Probes: development documents; 0 takes all."),
    steps: int = typer.Option(300, "--steps", min=4, help="Probes: steps of a whole training."),
    eval_every: int = typer.Option(
        50, "--eval-every", min=1, help="Probes: steps between evaluations."
    ),
    gpu_id: int = GPU_ID,
) -> None:
    """Try rates of encoder and head for methods, the same ones for each, as far as that has not
    been done. Of a method's trials the worse half stops after a quarter and after half of the
    steps. Settings of all configs can be changed by options such as --training.max_steps 600."""
    rates = [[float(rate) for rate in text.split()] for text in (encoder_rates, head_rates)]
    chosen: list[float | None] = [float(dropout) for dropout in dropouts.split()] or [None]
    results: dict[str, list[dict[str, Any]]] = {}
    encoded: dict[str, list[Encoding]] = {}
    for method in methods.split():
        if frozen:
            overrides = parse_config_overrides(ctx.args)
            if encoder is not None:
                overrides["paths.encoder"] = encoder
            probes = Probes(
                config=configs / f"{method}.cfg",
                train=train,
                dev=dev,
                file=output / f"{method}.json",
                n_train=n_train,
                n_dev=n_dev,
                steps=steps,
                eval_every=eval_every,
                seed=seed,
                encoded=encoded,
                overrides=overrides,
            )
            results[method] = probes.run([Rates(0.0, rate) for rate in rates[1]])
        else:
            experiment = Experiment(configs, train, dev, output, encoder, ctx.args, gpu_id)
            trials = [
                Rates(encoder_rate, head_rate, dropout)
                for encoder_rate, head_rate in product(*rates)
                for dropout in chosen
            ]
            results[method] = Trainings(experiment, Run(method, seed)).complete(trials)
        best = max(results[method], key=rank)
        msg.good(f"{method}: F1 {percent(best['f1'])} at {best['head_rate']:g}")
        _write(results, output)


def _write(results: dict[str, list[dict[str, Any]]], folder: Path) -> None:
    table = tuning_table(results)
    with replacing(folder / "table.md") as draft:
        draft.write_text(table, encoding="utf8")
    with replacing(folder / "table.json") as draft:
        draft.write_text(json.dumps(results, indent=1), encoding="utf8")
    print(table)
