"""What users do wrong, and what they are told.

`python -m tests.cli.error_paths docs/data/error_paths.json` writes the table of the documentation.

Each command runs in a process of its own, which is forked from one that has imported everything."""

import gzip
import json
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import spacy
from spacy.tokens import DocBin, Span, SpanGroup
from spacy.training import Example

from spacy_docre.cli import app

from ..configs import save_births
from ..methods import add_extractor, trained_on_births
from ..util import birth_doc

# A folder in which nobody, not even root, can make files.
NO_RIGHT = "/sys/kernel"
CONFIG = Path(__file__).parents[2] / "configs" / "cnn.cfg"
CORPUS = ("--paths.train", "c.spacy", "--paths.dev", "c.spacy")
COMPARE = ("compare", "--train", "c.spacy", "--dev", "c.spacy", "--output", "o", "--report", "r")
COMPARE += ("--configs", str(CONFIG.parent))
TRAIN = ("train", str(CONFIG), "--output", "run", *CORPUS)


@dataclass(frozen=True)
class ErrorPath:
    """A command that a user got wrong.

    name (str): What is wrong.
    command (tuple[str, ...]): Its arguments.
    expected (str): What the message says, among other things.
    prepare (Callable[[], None]): What happens in the process before.
    code (int): The exit code.
    """

    name: str
    command: tuple[str, ...]
    expected: str
    prepare: Callable[[], object] = lambda: None
    code: int = 1


@dataclass
class Outcome:
    """How a command ended: its exit code, negative for a signal, what it printed, and the lines of
    that from the error on."""

    code: int
    output: str
    lines: int = field(init=False)

    def __post_init__(self) -> None:
        start = re.search("✘|Usage:|Traceback", self.output)
        error = self.output[start.start() :] if start else self.output
        self.lines = sum(bool(line.strip()) for line in error.splitlines())


def limit_files() -> None:
    """Make the disk full, as far as the process can tell."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))


def close_input() -> None:
    """As `<&-` in a shell."""
    os.close(0)
    sys.stdin = None


def write(path: str, text: str) -> Callable[[], object]:
    """What writes a file."""
    return lambda: Path(path).write_text(text)


def damage(path: str) -> Callable[[], object]:
    """What cuts a file."""
    return lambda: Path(path).write_bytes(Path(path).read_bytes()[:20])


def bare_model() -> None:
    """A pipeline without a relation extractor."""
    spacy.blank("xx").to_disk("bare")


def pack(path: str) -> Callable[[], object]:
    """What compresses a file, without telling by its name."""
    return lambda: Path(path).write_bytes(gzip.compress(Path(path).read_bytes()))


def foreign_folder() -> None:
    """A folder with somebody's files."""
    Path("mine").mkdir()
    Path("mine", "thesis.txt").write_text("Chapter 1")


def typeless_model() -> None:
    """A model whose training data have no types of entities, and these."""
    nlp = spacy.blank("xx")
    docs = [birth_doc(nlp.vocab, number) for number in range(4)]
    for doc in docs:
        for group in doc.spans.values():
            spans = [Span(doc, span.start, span.end) for span in group]
            doc.spans[group.name] = SpanGroup(doc, name=group.name, spans=spans)
    DocBin(docs=docs, store_user_data=True).to_disk("d.spacy")
    add_extractor(nlp, "atlop", "cnn")
    nlp.initialize(lambda: [Example(doc.copy(), doc) for doc in docs])
    nlp.to_disk("typeless")


def empty_corpus() -> None:
    """A corpus without documents."""
    DocBin().to_disk("e.spacy")


COLOURS = re.compile("\x1b\\[[0-9;]*m")
HOSTILE = "\x1b[2J\u202e"
ANNOTATE = ("annotate", "model", "a.txt", "out")
ERROR_PATHS = [
    ErrorPath("no such pipeline", ("annotate", "nowhere", "a.txt", "out"), "E050"),
    ErrorPath("a hostile name of a pipeline", ("annotate", HOSTILE, "a.txt", "out"), "E050"),
    ErrorPath("no such input", ("annotate", "model", "nowhere.txt", "out"), "D036"),
    ErrorPath("a hostile name of an input", ("annotate", "model", HOSTILE, "out"), "D036"),
    ErrorPath("results over a file", ("annotate", "model", "a.txt", "a.txt"), "D038"),
    ErrorPath("results among other files", ("annotate", "model", "a.txt", "model"), "D038"),
    ErrorPath("results without rights", ("annotate", "model", "a.txt", f"{NO_RIGHT}/out"), "D038"),
    ErrorPath("a full disk", ANNOTATE, "D141", limit_files),
    ErrorPath("a full disk with two processes", (*ANNOTATE, "-n", "2"), "D141", limit_files),
    ErrorPath("closed input", ("annotate", "model", "-", "out"), "D145", close_input),
    ErrorPath("no extractor", ("annotate", "bare", "a.txt", "out"), "D019", bare_model),
    ErrorPath("a damaged pipeline", ANNOTATE, "D147", damage("model/meta.json")),
    ErrorPath("a damaged config", ANNOTATE, "D147", damage("model/config.cfg")),
    ErrorPath("no GPU", (*ANNOTATE, "--gpu-id", "0"), "GPU"),
    ErrorPath("processes on a GPU", (*ANNOTATE, "--gpu-id", "0", "-n", "2"), "D020"),
    ErrorPath("an unknown format", (*ANNOTATE, "-f", "xls"), "xls", code=2),
    ErrorPath("a document too many", (*ANNOTATE[:2], "b.jsonl", "out", "--fail-fast"), "D040"),
    ErrorPath(
        "a document too many with two processes",
        (*ANNOTATE[:2], "b.jsonl", "out", "--fail-fast", "-n", "2"),
        "D040",
    ),
    ErrorPath("no command", ("anotate",), "annotate", code=2),
    ErrorPath("an unknown option", (*ANNOTATE, "--fast"), "--fast", code=2),
    ErrorPath("a hostile option", (*ANNOTATE, f"--{HOSTILE}"), "No such option", code=2),
    ErrorPath("a missing argument", ("annotate", "model"), "Missing argument", code=2),
    ErrorPath("no such config", ("train", "no.cfg", "--output", "run"), "E053"),
    ErrorPath("a config that is none", ("train", "a.txt", "--output", "run"), "", code=1),
    ErrorPath("a config from closed input", ("train", "-", "--output", "run"), "D145", close_input),
    ErrorPath("no such corpus", (*TRAIN, "--paths.dev", "nowhere.spacy"), "nowhere.spacy"),
    ErrorPath("a setting of a wrong type", (*TRAIN, "--training.dropout", "high"), "dropout"),
    ErrorPath("a setting that is unknown", (*TRAIN, "--training.drop", "0.1"), "D148"),
    ErrorPath(
        "an unknown head",
        (*TRAIN, "--components.doc_relation_extractor.model.head.@architectures", "ATLOPP.v1"),
        "ATLOPP.v1",
    ),
    ErrorPath(
        "training without rights",
        ("train", str(CONFIG), "--output", f"{NO_RIGHT}/x", *CORPUS),
        "D142",
    ),
    ErrorPath(
        "a full disk in training",
        (*TRAIN, "--training.max_steps", "2"),
        "D141",
        limit_files,
    ),
    ErrorPath(
        "code with an error",
        (*TRAIN, "--code", "code.py"),
        "code.py",
        write("code.py", "import nothing_of_that_name"),
    ),
    ErrorPath("evaluation on no file", ("evaluate", "model", "no.spacy"), "no.spacy", code=2),
    ErrorPath("evaluation on JSON Lines", ("evaluate", "model", "b.jsonl"), "D158"),
    ErrorPath(
        "predictions without rights",
        ("predict", "model", "c.spacy", f"{NO_RIGHT}/p.jsonl"),
        "D142",
    ),
    ErrorPath("conversion of no file", ("convert", "docred", "no", "out.spacy"), "no", code=2),
    ErrorPath("conversion of another form", ("convert", "docred", "a.txt", "x.spacy"), "a.txt"),
    ErrorPath(
        "conversion without rights",
        ("convert", "jsonl", "c.jsonl", f"{NO_RIGHT}/x.spacy"),
        "D142",
    ),
    ErrorPath("a check of no corpus", ("debug-data", "no.spacy"), "no.spacy", code=2),
    ErrorPath("a threshold on no corpus", ("find-threshold", "model", "a.txt"), "D158"),
    ErrorPath("a view of a text", ("view", "a.txt", "x.html"), "D045"),
    ErrorPath("a plot that there is not", ("plot", "curve", "a.txt", "x.png"), "curve", code=2),
    ErrorPath("compression of no pipeline", ("compress", "nowhere", "small"), "E050"),
    ErrorPath("4 bits", ("compress", "model", "small", "--bits", "4"), "--bits", code=2),
    ErrorPath("compression over a thesis", ("compress", "model", "mine"), "D175", foreign_folder),
    ErrorPath("compression without rights", ("compress", "model", f"{NO_RIGHT}/x"), "D142"),
    ErrorPath("relations of no texts", ("extract", "model", "no.txt"), "no.txt", code=2),
    ErrorPath("relations of packed texts", ("extract", "model", "a.txt"), "D157", pack("a.txt")),
    ErrorPath(
        "a page without rights",
        ("extract", "model", "a.txt", "--page", f"{NO_RIGHT}/x.html"),
        "D142",
    ),
    ErrorPath("a page over a folder", ("extract", "model", "a.txt", "--page", "model"), "model"),
    ErrorPath("errors in no corpus", ("view", "model", "no.spacy", "--errors"), "no.spacy"),
    ErrorPath("errors in texts", ("view", "model", "a.txt", "--errors"), "corpus", code=2),
    ErrorPath("errors of no pipeline", ("errors", "nowhere", "c.spacy"), "E050"),
    ErrorPath(
        "errors without rights",
        ("errors", "model", "c.spacy", "--html", f"{NO_RIGHT}/x.html"),
        "D142",
    ),
    ErrorPath("shares of more than all", ("split", "c.spacy", "--dev", "1.5"), "D155"),
    ErrorPath("shares below none", ("split", "c.spacy", "--test", "-0.1"), "D155"),
    ErrorPath("too few documents", ("split", "c.spacy", "--dev", "0.001"), "D156"),
    ErrorPath("a split of a text", ("split", "a.txt"), "D158"),
    ErrorPath("no epochs", (*TRAIN, "--initialize.after_init.epochs", "0"), "D020"),
    ErrorPath("half an epoch", (*TRAIN, "--initialize.after_init.epochs", "0.5"), "epochs"),
    ErrorPath(
        "constraints that are none",
        ("find-threshold", "model", "c.spacy", "--constraints", "every"),
        "every",
        code=2,
    ),
    ErrorPath(
        "constraints that exclude nothing",
        ("find-threshold", "typeless", "d.spacy", "--constraints", "types"),
        "DW16",
        typeless_model,
        0,
    ),
    ErrorPath("an unknown language", ("convert", "jsonl", "c.jsonl", "x.spacy", "-l", "q"), "E048"),
    ErrorPath(
        "a language whose package is missing",
        ("convert", "jsonl", "c.jsonl", "x.spacy", "-l", "th"),
        "PyThaiNLP",
    ),
    ErrorPath("a file of no form", ("convert", "a.txt", "x.spacy"), "D153"),
    ErrorPath("a packed corpus", ("convert", "b.jsonl", "x.spacy"), "D157", pack("b.jsonl")),
    ErrorPath(
        "an export over files", ("export", "brat", "c.spacy", "mine"), "D076", foreign_folder
    ),
    ErrorPath(
        "an export without rights",
        ("export", "doccano", "c.spacy", f"{NO_RIGHT}/x.jsonl"),
        "D142",
    ),
    ErrorPath("an export of a text", ("export", "doccano", "a.txt", "x.jsonl"), "D158"),
    ErrorPath("packed texts alone", ANNOTATE, "gzip", pack("a.txt")),
    ErrorPath("a calibration on nothing", ("calibrate", "model", "e.spacy"), "D017", empty_corpus),
    ErrorPath(
        "a threshold without documents",
        ("find-threshold", "model", "e.spacy"),
        "D017",
        empty_corpus,
    ),
    ErrorPath("a comparison of no method", (*COMPARE, "--methods", "bertt"), "D094"),
    ErrorPath("a difference of nothing", ("significance", "c.spacy", "a.txt", "c.spacy"), "a.txt"),
    ErrorPath("a card of no pipeline", ("model-card", "nowhere"), "nowhere", code=2),
    ErrorPath("no corpus at all", TRAIN[:4], "train -> path"),
    ErrorPath("training on JSON Lines", (*TRAIN, "--paths.train", "b.jsonl"), "D158"),
]


def make_folder(folder: Path) -> None:
    """What the commands of `ERROR_PATHS` find."""
    trained_on_births(2, seed=1).to_disk(folder / "model")
    save_births(folder / "c.spacy", 4)
    (folder / "a.txt").write_text("Ada saw Oslo.\n" * 50)
    (folder / "b.jsonl").write_text('{"text": "Ada saw Oslo."}\n{"body": "Ada."}\n')
    (folder / "c.jsonl").write_text("")


def in_process(run: Callable[[], object], folder: Path, seconds: float = 120) -> Outcome:
    """Run a function in a forked process, in a folder, and give its exit code and output.

    run (Callable[[], object]): The function.
    folder (Path): The folder.
    seconds (float): When it is killed.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            os.chdir(folder)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(writing, 1)
            os.dup2(writing, 2)
            sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
            run()
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(code)
    os.close(writing)
    deadline = time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    with open(reading, encoding="utf8", errors="surrogateescape") as stream:
        output = stream.read()
    return Outcome(os.waitstatus_to_exitcode(status), output)


def show_warning(
    message: Warning | str, category: type[Warning], filename: str, line: int, *_: object
) -> None:
    """As Python shows it, on the standard error output."""
    sys.stderr.write(warnings.formatwarning(message, category, filename, line))


def meet(path: ErrorPath, folder: Path) -> Outcome:
    """Run the command of an error path in a copy of a folder."""
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)

        def run() -> None:
            # pytest keeps warnings to itself.
            warnings.showwarning = show_warning
            path.prepare()
            app(list(path.command), prog_name="python -m spacy_docre")

        return in_process(run, Path(copy))


def main(table: str) -> None:
    """Write the table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        make_folder(Path(folder))
        for path in ERROR_PATHS:
            outcome = asdict(meet(path, Path(folder)))
            output = " ".join(COLOURS.sub("", outcome.pop("output")).split())
            message = output[max(output.find("✘"), 0) :][:200]
            command = " ".join(path.command).replace(str(CONFIG.parents[1]), ".")
            rows.append({"wrong": path.name, "command": command, **outcome, "message": message})
    Path(table).write_text(json.dumps(rows, indent=1, ensure_ascii=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
