"""Calibration: from scores to probabilities, and the settings of a component that has one."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import DocreError, Errors


@dataclass(frozen=True)
class Calibration:
    """A rising function from scores to probabilities: the logistic function of the score's logit
    divided by a temperature, plus a bias. 0 and 1 stay what they are.

    temperature (float): More than 1 draws scores towards the middle, less than 1 away from it.
    bias (float): More than 0 raises scores, less than 0 lowers them.
    """

    temperature: float = 1.0
    bias: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < np.inf:
            raise DocreError(
                Errors.D020.format(
                    setting="calibration.temperature",
                    condition="a number above 0",
                    value=self.temperature,
                )
            )

    @classmethod
    def from_settings(cls, settings: dict[str, float] | None) -> "Calibration | None":
        """settings (Optional[dict[str, float]]): Temperature and bias; None for no calibration.
        RETURNS (Optional[Calibration]): The function.
        RAISES (DocreError): If a setting is missing, unknown or out of range.
        """
        if settings is None:
            return None
        if set(settings) != {"temperature", "bias"}:
            condition = "null or an object with the keys 'temperature' and 'bias'"
            raise DocreError(
                Errors.D020.format(setting="calibration", condition=condition, value=settings)
            )
        return cls(**settings)

    @property
    def settings(self) -> dict[str, float]:
        """The function as the component's setting `calibration`."""
        return asdict(self)

    def apply(self, scores: np.ndarray) -> np.ndarray:
        """scores (np.ndarray): [...] float, in 0..1.
        RETURNS (np.ndarray): [...] of the same type, in 0..1.
        """
        # Most scores are exactly 0: types that constraints do not allow.
        calibrated = np.zeros_like(scores)
        is_scored = scores != 0
        logits = logit_of(scores[is_scored])
        calibrated[is_scored] = _logistic(logits / self.temperature + self.bias)
        return calibrated

    def apply_to_number(self, score: float) -> float:
        """score (float): In 0..1, a threshold for example.
        RETURNS (float): In 0..1.
        """
        return float(self.apply(np.array(score, dtype=np.float64)))

    def invert_number(self, probability: float) -> float:
        """probability (float): In 0..1.
        RETURNS (float): The score that it was made of.
        """
        logit = (logit_of(np.array(probability)) - self.bias) * self.temperature
        return float(_logistic(logit))


def with_calibration(cfg: Mapping[str, Any], calibration: Calibration) -> dict[str, Any]:
    """The settings of a component that has no calibration, with one: the same relations are set.

    cfg (Mapping[str, Any]): The component's settings.
    calibration (Calibration): The function.
    RETURNS (dict[str, Any]): `calibration`, `threshold` and `thresholds`.
    """
    mapped = _map_thresholds(cfg, calibration.apply_to_number)
    return {"calibration": calibration.settings, **mapped}


def without_calibration(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a component without its calibration, if it has one: the same relations are
    set.

    cfg (Mapping[str, Any]): The component's settings.
    RETURNS (dict[str, Any]): `calibration`, `threshold` and `thresholds`.
    """
    calibration = Calibration.from_settings(cfg["calibration"])
    if calibration is None:
        return {name: cfg[name] for name in ("calibration", "threshold", "thresholds")}
    return {"calibration": None, **_map_thresholds(cfg, calibration.invert_number)}


def _map_thresholds(cfg: Mapping[str, Any], function: Callable[[float], float]) -> dict[str, Any]:
    own = {label: function(value) for label, value in cfg["thresholds"].items()}
    return {"threshold": function(cfg["threshold"]), "thresholds": own}


def logit_of(scores: np.ndarray) -> np.ndarray:
    """scores (np.ndarray): [...] float, in 0..1.
    RETURNS (np.ndarray): [...] float64. Their logits, infinite at 0 and 1.
    """
    values = np.asarray(scores, dtype=np.float64)
    with np.errstate(divide="ignore"):
        logit: np.ndarray = np.log(values) - np.log1p(-values)
    return logit


def _logistic(logits: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        values: np.ndarray = 1 / (1 + np.exp(-logits))
    return values
