"""What `make docs` adds to the pages that are written by hand: see `mkdocs.yml`."""

from pathlib import Path
from typing import Any

import api
import commands
import errors
import layout
import links
import methods
import metric_keys
import names
import settings
import tables
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
# Where the site has what stands at the root of the repository.
PROJECT = {
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security-policy.md",
    "CHANGELOG.md": "project/changelog.md",
    "assets/README.md": "corpora/shipped.md",
}
REFERENCE = {
    "methods/index.md": methods.page,
    "reference/names.md": names.page,
    "reference/settings.md": settings.page,
    "reference/layout.md": layout.page,
    "reference/metric_keys.md": metric_keys.page,
    "reference/commands.md": commands.page,
    "reference/errors.md": errors.page,
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages of the API into the navigation."""
    links.fill(config.nav, "API", api.navigation())
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    generated = {to: links.moved(ROOT, source, to, PROJECT) for source, to in PROJECT.items()}
    generated |= {path: make() for path, make in REFERENCE.items()}
    for path, text in (generated | api.pages()).items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **kwargs: Any) -> str:
    """Put tables in the place of the links to what they are made of, and lead links to the
    repository's files to the pages that hold them."""
    source = page.file.src_uri
    markdown = names.expand(tables.expand(markdown, ROOT / "docs" / source))
    return links.within_site(markdown, ROOT, f"docs/{source}", PROJECT)
