import re

from spacy_docre.visual.colours import INK, MIN_CONTRAST, PAPER, TINT, cluster_colour, contrast, mix
from spacy_docre.visual.page import TEMPLATES

MANY = [cluster_colour(number) for number in range(100)]


def dark_settings():
    style = (TEMPLATES / "style.css").read_text().split("prefers-color-scheme: dark")[1]
    return dict(re.findall(r"--docre-([\w-]+): ([^;]+);", style.split("color-scheme")[0]))


def test_each_cluster_has_a_colour_of_its_own():
    assert len(set(MANY)) == len(MANY)


def test_text_and_lines_are_readable_in_light():
    for colour in MANY:
        assert contrast(INK, mix(colour, PAPER, TINT)) > 7
        assert contrast("#4f555f", mix(colour, PAPER, TINT)) > 4.5
        assert contrast(colour, PAPER) >= MIN_CONTRAST


def test_text_and_lines_are_readable_in_dark():
    dark = dark_settings()
    shares = {name: int(dark[f"{name}-share"].strip("%")) / 100 for name in ("tint", "line")}
    for colour in MANY:
        tint = mix(colour, dark["paper"], shares["tint"])
        assert contrast(dark["ink"], tint) > 7
        assert contrast(dark["soft"], tint) > 4.5
        assert contrast(mix(colour, "#ffffff", shares["line"]), dark["paper"]) >= MIN_CONTRAST


def test_contrast_is_that_of_the_guidelines():
    assert contrast("#000000", "#ffffff") == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48
