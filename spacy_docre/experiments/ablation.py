"""A method with one part taken away at a time, each trained anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from spacy.util import load_config
from thinc.api import Config

from ..benchmark.tables import figures_table
from ..errors import DocreError, Errors
from ..files import read_json, replacing
from .figures import TITLES
from .report import METRICS, Records, mean_of

SHOWN = ("rel_ign_f", "rel_f")


class Variant(BaseModel):
    """What is taken away, as `assets/ablations.json` has it.

    title (str): Its name in the table.
    settings (dict[str, Any]): Settings of the config, by their dotted names.
    remove (list[str]): Sections of the config that go, by their dotted names.
    sections (dict[str, str]): Sections that come from another config, which is named.
    published (dict[str, dict[str, float]]): The paper's figures by corpus and metric, in percent.
    """

    model_config = ConfigDict(extra="forbid")

    title: str
    settings: dict[str, Any] = {}
    remove: list[str] = []
    sections: dict[str, str] = {}
    published: dict[str, dict[str, float]] = {}


class Ablations(BaseModel):
    """The ablations of a method.

    source (str): Where the published figures come from.
    published (dict[str, dict[str, float]]): Those of the whole method, as in `Variant`.
    without (dict[str, Variant]): What is taken away, by a name for files.
    """

    model_config = ConfigDict(extra="forbid")

    source: str
    published: dict[str, dict[str, float]] = {}
    without: dict[str, Variant]


@dataclass(frozen=True)
class Study:
    """The ablations of a method, and a config for each.

    method (str): The name of the method's config.
    ablations (Ablations): What is taken away.
    runs (Mapping[str, str]): The title of each config, by its name; the whole method first.
    """

    method: str
    ablations: Ablations
    runs: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def prepare(cls, method: str, file: Path, configs: Path, folder: Path) -> "Study":
        """Write a config for the method and for each of its ablations.

        method (str): The name of the method's config.
        file (Path): The ablations of all methods (JSON).
        configs (Path): The folder of the configs.
        folder (Path): Where to write the new ones.
        RETURNS (Study): The study.
        RAISES (DocreError): If there are no ablations of the method.
        """
        known = read_json(file)
        if method not in known:
            raise DocreError(Errors.D171.format(method=method, path=file, known=", ".join(known)))
        ablations = Ablations.model_validate(known[method])
        runs = {method: "All"}
        _write(load_config(configs / f"{method}.cfg"), folder / f"{method}.cfg")
        for name, variant in ablations.without.items():
            config = without(load_config(configs / f"{method}.cfg"), variant, configs)
            runs[f"{method}_{name}"] = variant.title
            _write(config, folder / f"{method}_{name}.cfg")
        return cls(method, ablations, runs)

    def to_markdown(self, records: Records) -> str:
        """The table: each variant's mean over its seeds, its difference from the whole method, and
        the same of the paper.

        records (Mapping[str, Sequence[Mapping[str, Any]]]): The records of each config's runs.
        RETURNS (str): Markdown.
        """
        published = {self.method: self.ablations.published}
        for name, variant in self.ablations.without.items():
            published[f"{self.method}_{name}"] = variant.published
        corpora = list(dict.fromkeys(corpus for of_run in published.values() for corpus in of_run))
        figures = [key for key in TITLES if any(_figures(records, run, key) for run in self.runs)]
        header = ["", "Seeds", *(METRICS[key] for key in SHOWN), "F1, difference"]
        header += [TITLES[key] for key in figures]
        header += [f"F1 and difference, paper ({corpus})" for corpus in corpora]
        whole = mean_of(records.get(self.method, ()), "rel_f")
        rows = []
        for run, title in self.runs.items():
            of_run = records.get(run, ())
            f1 = mean_of(of_run, "rel_f")
            row = [title, str(len(of_run)), _percent(mean_of(of_run, "rel_ign_f")), _percent(f1)]
            is_known = run != self.method and None not in (f1, whole)
            row.append(f"{f1 - whole:+.2f}" if is_known else "")  # type: ignore[operator]
            row += [_mean(_figures(records, run, key)) for key in figures]
            row += [self._paper(published, run, corpus) for corpus in corpora]
            rows.append(row)
        return figures_table(header, rows) + "\n"

    def _paper(
        self, published: Mapping[str, Mapping[str, Mapping[str, float]]], run: str, corpus: str
    ) -> str:
        f1 = published[run].get(corpus, {}).get("rel_f")
        whole = published[self.method].get(corpus, {}).get("rel_f")
        if f1 is None or run == self.method or whole is None:
            return _percent(f1)
        return f"{f1:.2f} ({f1 - whole:+.2f})"


def without(config: Config, variant: Variant, configs: Path) -> Config:
    """A config with something taken away.

    config (Config): The method's config, whose variables are not filled in.
    variant (Variant): What is taken away.
    configs (Path): The folder of other configs.
    RETURNS (Config): The changed one.
    """
    config = config.copy()
    for section in variant.remove:
        parent, name = _find(config, section)
        del parent[name]
    for section, source in variant.sections.items():
        parent, name = _find(config, section)
        other, other_name = _find(load_config(configs / f"{source}.cfg"), section)
        parent[name] = other[other_name]
    for setting, value in variant.settings.items():
        parent, name = _find(config, setting)
        parent[name] = value
    return config


def _find(config: Config, path: str) -> tuple[dict[str, Any], str]:
    """The section that holds what a dotted name names, and the name within it."""
    *sections, name = path.split(".")
    return reduce(lambda section, key: section[key], sections, config), name


def _write(config: Config, file: Path) -> None:
    with replacing(file) as draft:
        config.to_disk(draft, interpolate=False)


def _figures(records: Records, run: str, key: str) -> list[float]:
    found = (record.get("figures", {}).get(key) for record in records.get(run, ()))
    return [value for value in found if value is not None]


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.3g}" if values else ""


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
