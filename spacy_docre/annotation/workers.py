"""What the workers of a cluster are, and what they are told."""

from dataclasses import dataclass

from ..about import __version__
from .sinks import Format, SinkSettings

# The address of a cluster of this machine alone.
LOCAL = "local"


@dataclass(frozen=True)
class Workers:
    """The workers, each a process with a pipeline of its own.

    number (int): How many; 0 for as many as the cluster has room for.
    cores (int): The cores, and the threads, that each of them gets.
    gpus (float): The GPUs that each of them gets; less than one, if some are to share one.
    """

    number: int = 0
    cores: int = 1
    gpus: float = 0.0

    def fitting(self, resources: dict[str, float]) -> int:
        """resources (dict[str, float]): What a cluster has.
        RETURNS (int): How many workers it has room for.
        """
        n_fitting = int(resources.get("CPU", 0) // self.cores)
        if self.gpus:
            # A worker is on one machine, and so are the GPUs that it has or shares.
            n_fitting = min(n_fitting, int(resources.get("GPU", 0) / self.gpus))
        return n_fitting


@dataclass(frozen=True)
class PartSettings:
    """How a worker annotates a part.

    model (str): The pipeline: a path or the name of a package.
    description (dict[str, str]): What `describe_model` says of it.
    formats (list[Format]): The formats of its files.
    sinks (SinkSettings): What they need to know.
    batch_size (Optional[int]): See `annotate`.
    keep_clusters (bool): See `annotate`.
    version (str): The version of this package.
    """

    model: str
    description: dict[str, str]
    formats: list[Format]
    sinks: SinkSettings
    batch_size: int | None = None
    keep_clusters: bool = False
    version: str = __version__
