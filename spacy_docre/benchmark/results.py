"""The file with the results of a benchmark."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import srsly

from ..errors import DocreError, Errors
from ..files import read_json, replacing
from .growth import Point
from .timing import Timing


@dataclass(frozen=True)
class Results:
    """What was measured, on what and how.

    run (dict[str, Any]): See `describe_run`.
    settings (dict[str, Any]): The settings, as plain values.
    methods (dict[str, dict[str, Timing]]): The timings of each step of each method.
    growth (dict[str, list[Point]]): The points of each method.
    """

    run: dict[str, Any]
    settings: dict[str, Any]
    methods: dict[str, dict[str, Timing]]
    growth: dict[str, list[Point]]

    def save(self, path: Path) -> None:
        """Write the file.

        path (Path): Its path.
        """
        with replacing(path) as draft:
            srsly.write_json(draft, asdict(self))

    @classmethod
    def load(cls, path: Path) -> "Results":
        """Read a file that `save` wrote.

        path (Path): Its path.
        RETURNS (Results): The results.
        RAISES (DocreError): If it is another file.
        """
        values = read_json(path)
        try:
            return cls(
                values["run"],
                values["settings"],
                {
                    method: {step: Timing.from_dict(timing) for step, timing in steps.items()}
                    for method, steps in values["methods"].items()
                },
                {
                    method: [Point.from_dict(point) for point in points]
                    for method, points in values["growth"].items()
                },
            )
        except (KeyError, TypeError, AttributeError) as error:
            reason = f"it is no file of `benchmark` or `benchmark-growth` ({error!r})"
            raise DocreError(Errors.D015.format(path=path, reason=reason)) from None
