"""The relation extractor of a pipeline: where it is, and its settings in the pipeline's config."""

import configparser
import copy
from typing import Any

from spacy.language import Language
from thinc.api import Config, ConfigValidationError

from ..errors import DocreError, Errors
from .component import DocRelationExtractor


def find_extractor(nlp: Language) -> tuple[str, DocRelationExtractor]:
    """The relation extractor of a pipeline.

    nlp (Language): The pipeline.
    RETURNS (tuple[str, DocRelationExtractor]): The component's name and the component.
    RAISES (DocreError): If there is none.
    """
    for name, component in nlp.pipeline:
        if isinstance(component, DocRelationExtractor):
            return name, component
    raise DocreError(Errors.D019.format(names=", ".join(nlp.pipe_names) or "none"))


def change_settings(nlp: Language, **settings: Any) -> None:
    """Give a pipeline's relation extractor other settings, which are saved with the pipeline.

    nlp (Language): The pipeline.
    **settings (Any): The settings.
    RAISES (DocreError): If it has no relation extractor.
    """
    name, extractor = find_extractor(nlp)
    extractor.configure(**settings)
    # The component's own file has them all, and counts. A config cannot hold every relation type.
    in_config = {key: value for key, value in settings.items() if _fits_config(value)}
    nlp.get_pipe_config(name).update(in_config)
    extractor.cfg["configured"].update(copy.deepcopy(in_config))


def _fits_config(value: Any) -> bool:
    config = Config({"settings": {"value": value}})
    try:
        return bool(Config().from_str(config.to_str()) == config)
    except (ConfigValidationError, configparser.Error):
        return False
