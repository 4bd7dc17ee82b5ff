"""`ablate`: a method without one part at a time, each trained anew."""

import json
from pathlib import Path

import typer

from ..experiments.ablation import Study
from ..experiments.runs import Experiment, Run, complete_all
from ..files import replacing
from .app import new_app
from .messages import GPU_ID, msg, tell_run

app = new_app()


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def ablate_command(
    ctx: typer.Context,
    method: str = typer.Option(..., "--method", "-m", help="The config's name."),
    seeds: str = typer.Option("1", "--seeds", "-s", help="Seeds, with spaces between."),
    train: Path = typer.Option(..., "--train", help="The training corpus (.spacy).", exists=True),
    dev: Path = typer.Option(..., "--dev", help="The development corpus (.spacy).", exists=True),
    output: Path = typer.Option(..., "--output", "-o", help="The folder for the trained models."),
    report: Path = typer.Option(..., "--report", help="The folder for table and records."),
    ablations: Path = typer.Option(
        Path("assets/ablations.json"),
        "--ablations",
        help="What is taken away, and published figures (JSON).",
        exists=True,
    ),
    configs: Path = typer.Option(Path("configs"), "--configs", help="The folder of the configs."),
    encoder: str | None = typer.Option(None, "--encoder", help="The configs' paths.encoder."),
    jobs: int = typer.Option(1, "--jobs", "-j", min=1, help="How many runs to train at once."),
    gpu_id: int = GPU_ID,
) -> None:
    """Train a method, and the method without each of its parts, as far as that has not been done,
    and write the table beside the paper's figures. Settings of all configs can be changed by
    options such as --training.max_steps 100."""
    study = Study.prepare(method, ablations, configs, output / "configs")
    experiment = Experiment(output / "configs", train, dev, output, encoder, ctx.args, gpu_id)
    runs = [Run(name, int(seed)) for name in study.runs for seed in seeds.split()]
    records = complete_all(experiment, runs, jobs=jobs, tell=tell_run)
    table = study.to_markdown(records)
    lines = [
        json.dumps(record, ensure_ascii=False) for of_run in records.values() for record in of_run
    ]
    with replacing(report / f"{method}.jsonl") as draft:
        draft.write_text("".join(f"{line}\n" for line in lines), encoding="utf8")
    with replacing(report / f"{method}.md") as draft:
        draft.write_text(f"{table}\nPaper: {study.ablations.source}.\n", encoding="utf8")
    print(table)
    failed = len(runs) - len(lines)
    if failed:
        msg.fail(f"{failed} of {len(runs)} runs failed; type the command again to go on", exits=1)
