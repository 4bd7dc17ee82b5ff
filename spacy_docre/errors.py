"""Every message that a user can meet, under a code that can be searched for."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

# What a terminal obeys or cannot show: control characters but for tabs and line ends, what turns
# the direction of writing, and halves of characters.
CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# Characters of what somebody else wrote that a message shows.
MAX_SHOWN = 300
# Known names that a suggestion shows.
SUGGESTED_NAMES = 20


class DocreError(ValueError):
    """Base class of the errors that this package raises about its input.

    message (str): The message. What it quotes of documents and models can do nothing to a terminal.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """A text that a terminal shows and does not obey.

    text (str): The text.
    RETURNS (str): The text, with escapes such as "\\x1b" for other characters.
    """
    return CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def shortened(text: str, limit: int = MAX_SHOWN) -> str:
    """What somebody else wrote, as it may stand in a message: printable, in a line, not too long.

    text (str): The text.
    limit (int): The most characters of it.
    RETURNS (str): The text or its beginning.
    """
    text = text if len(text) <= limit else f"{text[: limit - 3]}..."
    return printable(text).replace("\n", "\\n")


def suggestion(value: str, known: Sequence[str]) -> str:
    """What a person may have meant, and what there is.

    value (str): What was written.
    known (Sequence[str]): What could have been.
    RETURNS (str): A few sentences, to stand behind a statement.
    """
    close = get_close_matches(value, known)
    meant = f". Did you mean {' or '.join(map(repr, close))}?" if close else "."
    return f"{meant} Known: {first_of([repr(name) for name in known], SUGGESTED_NAMES) or 'none'}"


def enumerate_words(words: Sequence[str]) -> str:
    """Words as a sentence lists them: "a, b and c"."""
    return " and ".join(", ".join(words).rsplit(", ", 1))


def first_of(names: Sequence[str], limit: int) -> str:
    """The first of many names, and how many more there are.

    names (Sequence[str]): The names.
    limit (int): The most that are named.
    RETURNS (str): The names, with commas between.
    """
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


class _WithCodes(type):
    # As spaCy's `ErrorsWithCodes`, which cannot be imported without its pipelines.
    def __getattribute__(cls, code: str) -> Any:
        message = super().__getattribute__(code)
        return message if code.startswith("__") else f"[{code}] {message}"


class Errors(metaclass=_WithCodes):
    D001 = (
        "The extension attribute `doc._.{attr}` already exists and is not spacy-docre's. Another "
        "package has set it: give this component a name of its own, for example "
        '`config={{"attr": "doc_relations"}}` in `nlp.add_pipe`, or remove the other extension.'
    )
    D002 = (
        "A relation must be a Relation or a mapping with the keys 'head', 'label' and 'tail' "
        "(strings) and optionally 'score' (in 0..1) and 'evidence' (pairs of tokens), but got: "
        "{value}"
    )
    D003 = (
        "The relation {relation} is not bound to a document, so its spans cannot be looked up. "
        "Read it from the document's attribute (`doc._.relations`)."
    )
    D004 = (
        "The relation {relation} names the entity cluster '{key}', but the document has no "
        "`doc.spans['{key}']`."
    )
    D005 = (
        "No relation label was found for the component '{name}': the training data contain no "
        "relations under `doc._.{attr}`. Check the corpus with `python -m spacy_docre debug-data`, "
        "use the reader 'spacy-docre.GoldClusterCorpus.v1', or give `labels` in "
        "[initialize.components.{name}]."
    )
    D006 = (
        "The training data contain the relation label '{label}' in {doc}, which is not among the "
        "{n_labels} labels of the component '{name}'. Initialise the component on data (or a "
        "labels file) that contain all labels, or add it with the component's `add_label`."
    )
    D007 = (
        "The texts of the predicted and the reference document differ in {doc}: the component "
        "'{name}' aligns them by character offsets and needs equal texts."
    )
    D008 = (
        "The relation label '{label}' cannot be added to the component '{name}': its model is "
        "already initialised with {n_labels} labels and is not one that can grow "
        "('spacy-docre.RelationModel.v1'). Add labels before `nlp.initialize`, or train a new "
        "model."
    )
    D009 = (
        "The relation ({head}, {label}, {tail}) of {doc} names the cluster '{key}', but "
        "`reference.spans` has no such group. Check the corpus with "
        "`python -m spacy_docre debug-data`."
    )
    D010 = (
        "The encoder '{name}' cannot be used: its window is {window} wordpieces, but it needs at "
        "least {minimum} and at most {maximum} (the length that the model was trained for). Change "
        "`window` in [components.doc_relation_extractor.model.encoder]."
    )
    D011 = (
        "The overlap of the encoder's windows (`stride` = {stride}) must be at least 0 and less "
        "than the {capacity} wordpieces that a window holds."
    )
    D012 = (
        "The model has not been initialised, so there is nothing to run or to save. Call "
        "`nlp.initialize(get_examples)` or load a trained pipeline."
    )
    D013 = (
        "The head received vectors of width {width}, but was built for {expected}. Was the encoder "
        "replaced after training?"
    )
    D014 = "{path}: document {index} ('{title}'), field '{field}': {reason}"
    D015 = "{path}: {reason}"
    D016 = (
        "The width of the pair representation ({width}) must be a multiple of the block size "
        "({block}) of the grouped bilinear classifier."
    )
    D017 = (
        "{path} holds no document with entity clusters. They are expected under "
        "`doc.spans['{prefix}_1']`, ..., and relations under `doc._.{attr}`, saved with "
        "`DocBin(store_user_data=True)`."
    )
    D018 = (
        "The relation type '{label}' of {doc} has no identifier in the relation names that were "
        "given, so it cannot be written in the DocRED format."
    )
    D019 = (
        "The pipeline has no component of the factory 'doc_relation_extractor'. Its components: "
        "{names}."
    )
    D020 = "`{setting}` must be {condition}, but it is {value}."
    D021 = (
        "The package '{package}' is needed for {purpose}, but is not installed. Install it with "
        "`pip install -e '.[{extra}]'` in the clone of spacy-docre."
    )
    D022 = (
        "The benchmark compares with the bare encoder of a 'spacy-docre.MarkedTransformer.v1' or "
        "'spacy-docre.EntityStructureTransformer.v1', but this pipeline's encoder is a '{encoder}'."
    )
    D030 = (
        "An encoder of type '{model_type}' with positions of type '{positions}' cannot be given an "
        "entity structure: that takes one of the types {supported} with absolute positions. Use "
        "another encoder, or 'spacy-docre.MarkedTransformer.v1', which takes any."
    )
    D031 = (
        "The coreference chains of '{package}' were asked for (`doc._.{attr}`), but neither the "
        "attribute nor the package exists. Install it with `{install}` and add its component to "
        "the pipeline, or set `chains = null` in [components.entity_clusters]."
    )
    D032 = (
        "The coreference chains of {doc} cannot be used: {reason}. An adapter must return a list "
        "of chains, each a list of mentions (first token, token after the last), or None if the "
        "document was not resolved. It returned: {chains}"
    )
    D033 = (
        "Coreferee cannot resolve documents as for the pipeline '{pipeline}' {version}: {reason} "
        "Install its models with `python -m coreferee install`, followed by the language, or set "
        "`chains = null` in [components.entity_clusters]."
    )
    D036 = (
        "There is no input '{path}'. Give files, folders, or '-' for the lines of standard input."
    )
    D037 = (
        "{folder} holds the results of another command: {differences}. Run that command again to "
        "resume it, choose another folder, or give --overwrite to start over."
    )
    D038 = (
        "The folder {folder} cannot be used for the results: {reason}. Choose a folder that is "
        "empty or does not exist."
    )
    D039 = (
        "Another process is writing to {folder}. Wait for it to finish, or stop it, before you run "
        "the same command again."
    )
    D040 = "{source}, document {number} ({id!r}): {reason}"
    D041 = (
        "The clusters of '{path}' cannot be kept: `--keep-clusters` takes them from .spacy files "
        "only. Convert it with `python -m spacy_docre convert`, or omit the option."
    )
    D042 = "`render` has no option {options}. Its options are: {known}."
    D043 = (
        "The head '{head}' of the component '{name}' has no {weights} to plot. Heads that have: "
        "'{heads}'."
    )
    D044 = "{doc} has no entity '{entity}' with mentions. Its entities: {names}."
    D045 = (
        "'{source}' is neither a file that can be viewed (.spacy or .jsonl) nor a pipeline: "
        "{reason}"
    )
    D046 = (
        "{relation} of {doc} names '{key}', which is not an entity cluster of the document "
        "(`doc.spans['{prefix}_1']`, ...). Check the corpus with `python -m spacy_docre "
        "debug-data`."
    )
    D049 = (
        "`{setting}` of the component '{name}' names the {kind} '{value}', which the component "
        "does not know{suggestion}."
    )
    D050 = "`{setting}` of the component '{name}' cannot be used: {reason}."
    D051 = "The constraints of the component '{name}' contradict each other: {reason}."
    D052 = (
        "The component '{name}' should learn constraints, but the relations of its training data "
        "were not counted: it was saved by an older version. Load it with `constraints` off, call "
        "its method `learn_constraints` on the training examples, switch the constraints on in its "
        "`cfg` and save it."
    )
    D053 = "The component '{name}' has no setting `{setting}`{suggestion}."
    D060 = (
        "There is no config of the method(s) {names} in the folder '{folder}'. A method is a "
        "training config whose encoder is a 'spacy-docre.MarkedTransformer.v1', a "
        "'spacy-docre.EntityStructureTransformer.v1', or two of them. Those of the folder: {known}."
    )
    D061 = (
        "Synthetic documents need words that the encoder's tokenizer leaves whole, but it does so "
        "with only {n_words} of {n_candidates}. Give documents with `--docs`."
    )
    D062 = (
        "There is no document of the sizes {sizes}: each entity needs at least one mention, and at "
        "most as many as there are words."
    )
    D063 = (
        "The page {path} has no place for the tables of '{name}': put the lines "
        "'<!-- tables: {name} -->' and '<!-- end of tables -->' where they should stand."
    )
    D070 = (
        "`{option}` cannot be used with `--engine {engine}`. The options of the engine 'ray' are "
        "--address, --workers, --cores-per-worker and --gpus-per-worker, those of 'local' "
        "--n-process and --gpu-id."
    )
    D071 = (
        "The worker on the machine {machine} has another pipeline than this process under "
        "'{model}': {differences}. Install the same pipeline, and the same version of spacy-docre, "
        "on all machines of the cluster."
    )
    D072 = "The Ray cluster cannot be used: {reason}."
    D073 = (
        "The run on Ray stopped: {reason}. {folder} holds the first {parts} parts; the same "
        "command resumes with the others. A worker may have run out of memory: then give fewer "
        "documents in a part (`--part-size`, in another folder) or fewer workers."
    )
    D074 = (
        "Standard input cannot be read with `--engine ray`, which reads the input in another "
        "process. Write the lines to a file and give it with --lines."
    )
    D075 = "{doc} cannot be written: {reason}."
    D076 = (
        "{path} cannot be written, since it already exists. Choose a folder that is empty or does "
        "not exist."
    )
    D077 = "{path}, line {line}: {reason}"
    D078 = "{path} has no split '{split}' with a list of ids. It has: {names}."
    D080 = (
        "The relation type '{label}' of {doc} cannot be written in PubTator's format, where a "
        "number after the document's identifier is an offset. Give it a name."
    )
    D081 = (
        "The relation type '{label}' of {doc} cannot be written in the `.data` form, where it "
        "stands for no relation. Give it another name."
    )
    D085 = (
        "{path} holds no relations between entities with names, so it cannot say which relations "
        "the training data give away. It must be an annotated training corpus; check it with "
        "`python -m spacy_docre debug-data`."
    )
    D086 = (
        "The scores cannot be calibrated: of the pairs and relation types of the development data "
        "{n_right} are right and {n_wrong} are wrong, but both are needed. Give an annotated "
        "corpus whose relation types are those of the pipeline."
    )
    D087 = (
        "The scores cannot be calibrated: higher scores are not more often right than lower ones "
        "(slope {slope}). Is the pipeline trained, and on the relation types of this corpus?"
    )
    D088 = "The predictions {path} do not match the corpus: {reason}"
    D089 = "{path} cannot be drawn: {reason}"
    D090 = (
        "The checkpoint {path} was made with another config; these settings differ: {settings}. "
        "Resume with the config of the checkpoint, or start over without --resume."
    )
    D091 = (
        "The checkpoint {path} cannot be read: {reason}. Remove it, or start over without --resume."
    )
    D092 = (
        "The checkpoint has a state of the optimizer for '{name}', which the pipeline does not "
        "have: was it made with another version of a library? Start over without --resume."
    )
    D093 = (
        "The run in {folder} cannot be resumed: the texts of its steps so far are not those of the "
        "corpus now. Restore the corpus, or start over without --resume."
    )
    D094 = "There is no method '{method}': {folder} has no config of that name."
    D095 = "The training of {run} failed with status {status}; see {log}"
    D100 = (
        "{reason}. The weights are as they were before this step. If texts, clusters and relations "
        "there are as they should be, lower the learning rate or lengthen its warm-up, set "
        '`max_norm` of the optimizer, or train in "fp32" or "bf16" rather than in "fp16". To skip '
        'such steps and count them, set `on_nonfinite = "skip"` in [components.{name}]; `python -m '
        "spacy_docre train --resume` resumes with that from the last checkpoint."
    )
    D101 = (
        "{reason}. It is the last of {n} steps in a row that were skipped, so nothing is learned "
        "any more. Start over, with a lower learning rate or a longer warm-up, with `max_norm` of "
        'the optimizer, or in "fp32" or "bf16" rather than in "fp16".'
    )
    D102 = (
        "{path} cannot be loaded: {reason}. The component is as it was before; of a pipeline that "
        "was there before, other components may already be those of the folder, so load it again. "
        "If nobody has touched the file, download or copy the pipeline again."
    )
    D115 = (
        "{doc} cannot be used: the cluster '{key}' has a mention at the tokens {start}-{end}, but "
        "a mention has at least one token, and none beyond the {length} of its document. Remove it "
        "from `doc.spans['{key}']`."
    )
    D116 = (
        "{doc} has a value under `doc._.{attr}` that is not a relation: {value}. Was its file "
        "damaged? Set the relations again, or remove the document."
    )
    D117 = (
        "{doc} cannot be written as {name}: what its file keeps for this format beside the "
        "document (in `doc.user_data` or the attributes of its span groups) is damaged: {reason}. "
        "Remove it, or convert the document's source again."
    )
    D118 = (
        '{doc} has in `doc.user_data["excluded_pairs"]` values that are not pairs of cluster keys: '
        "{value}. Give a list of [head, tail], or remove it."
    )
    D130 = (
        "The system does not report how much memory a process uses: `benchmark-memory` reads "
        "/proc/self/status, which Linux has."
    )
    D131 = "There is no text in {inputs}. Give files or folders, as for `annotate`."
    D150 = (
        "{path} is encoded in {encoding}. Write it as UTF-8, for example with "
        "`iconv -f {encoding} -t UTF-8`."
    )
    D151 = (
        "{path} is not UTF-8: the byte {byte} in line {line}. If it is Latin-1 (Windows), `iconv "
        "-f WINDOWS-1252 -t UTF-8` converts it."
    )
    D157 = "{path} is not a text but {kind}: {advice}."
    D152 = "{path} is not {expected}: it looks like {found}. Try `convert {name}`."
    D153 = (
        "{path} does not look like any format of {what} that `convert` knows. If it is of one of "
        "these, name it: {names}."
    )
    D158 = (
        "{path} is not a .spacy file. Convert it first: `python -m spacy_docre convert {path} "
        "{stem}.spacy`."
    )
    D155 = (
        "The shares {shares} cannot be taken: none may be below 0, and together they must be below "
        "1, since training gets the rest."
    )
    D156 = (
        "{n_docs} documents with {n_groups} different texts are too few for these shares: nothing "
        "is left for '{part}'."
    )
    D154 = "{path} looks like several formats. Name the one that it is of: {names}."
    D160 = (
        "The encoder '{name}', of the type '{model_type}', cannot be used: {reason}. All types are "
        "listed in docs/data/encoders.json. A program can allow others that it trusts: "
        "`spacy_docre.models.allow_encoders('{model_type}')`."
    )
    D161 = (
        "The encoder '{name}' cannot be loaded: {reason}. Give the path of a folder that holds "
        "config.json, the weights and the tokenizer, or a name of the Hugging Face hub, which must "
        "be reachable or have the model in its cache."
    )
    D162 = (
        "`{setting}` asks for code that comes with a model, which this package never runs. Remove "
        "it; use a model whose architecture is part of transformers."
    )
    D140 = (
        "A process of `--n-process` ended unexpectedly ({reason}). The system may have run out of "
        "memory: then give fewer processes or a smaller --batch-size. Parts that are complete are "
        "kept; the same command resumes after them."
    )
    D141 = (
        "There is no room on the disk to write {path}, or a quota or limit does not allow it. Make "
        "room and run the same command again."
    )
    D142 = (
        "{path} cannot be opened, made or removed: {reason}. Change its permissions, or name "
        "another."
    )
    D143 = "{path} cannot be used: {reason}."
    D144 = (
        "There is not enough memory ({reason}). Give smaller batches, fewer processes, or lower "
        "the limits of the component (`max_pairs`, `max_wordpieces`)."
    )
    D145 = "Standard input is closed, but '-' means to read it. Pass lines to it, or name a file."
    D149 = (
        "The optimizer 'spacy-docre.AdamW.v1' has a `learn_rate` beside `encoder_rate` and "
        "`head_rate`. Give these two, with `schedule` for how they rise and fall, or `learn_rate` "
        "and `head_factor`."
    )
    D146 = (
        "{kind}: {reason}. If this is not a mistake in your input, please report it. `--debug` "
        "shows the traceback."
    )
    D147 = (
        "The pipeline '{name}' cannot be loaded: {reason}. If nobody has changed it, copy or "
        "download it again."
    )
    D148 = "[training] of the config has no setting {names}{meant}"
    D170 = (
        "{path} does not say how a head is to be trained: [training.optimizer] must be "
        "'spacy-docre.AdamW.v1', and its learn_rate 'spacy-docre.warmup_linear.v1'."
    )
    D171 = "There are no ablations of '{method}' in {path}, but of: {known}."
    D172 = (
        "{path} holds results of other settings or other files ({names}). Give another folder for "
        "the report, or remove it."
    )
    D173 = (
        "The head cannot be given more relation types: its tensor '{name}' has an axis of {before} "
        "entries that would have {now}, and these are not the types once or several times. A head "
        "of your own says how it grows by its method `take_over`."
    )
    D174 = (
        "The schedule 'spacy-docre.warmup_linear.v1' does not know how long the training is: its "
        "`total_steps` is 0. Give a number, or have it counted from the corpus by the callback "
        "'spacy-docre.train_epochs.v1' in [initialize.after_init]."
    )
    D175 = (
        "{path} holds something that is not a pipeline, and would be replaced. Give a folder that "
        "is empty or does not exist."
    )
    D176 = (
        "{path} is a link, a pipe or a device, and what is written to its folder could go "
        "elsewhere. Remove it, or choose another folder."
    )
    D190 = (
        "No document in {path} has soft targets to learn from. Let a trained pipeline write them: "
        "python -m spacy_docre teach DATA OUTPUT --teacher PIPELINE."
    )
    D191 = (
        "{doc} has other entities for {name} than for {first}: do their limits or the prefixes of "
        "their clusters differ? Only teachers that read the same entities can vote."
    )
    D163 = (
        "The encoder '{name}', of the type '{model_type}', cannot be used: {reason}. Look whether "
        "`transformer_config` can set what it wants, or take an encoder of another type, for "
        "example 'bert', 'roberta', 'deberta-v2' or 'modernbert'; all are listed in "
        "docs/data/encoders.json."
    )
    D164 = (
        "The tokenizer {tokenizer} cannot be used: it does not put its special tokens before or "
        "after a text, but into it. Use the encoder with another tokenizer."
    )
    D165 = (
        "The encoder '{name}' has no wordpiece for the markers {markers} and cannot be given new "
        "ones. Set `start_marker` and `end_marker` in "
        "[components.doc_relation_extractor.model.encoder] to what is one wordpiece of its "
        "vocabulary, for example '*'."
    )
    D200 = (
        "The encoder '{name}' cannot be compiled: {reason}. PyTorch computes with it as before; "
        "encoders that can be compiled are those of 'spacy-docre.MarkedTransformer.v1' and "
        "'spacy-docre.EntityStructureTransformer.v1', either of a 'spacy-docre.TwinEncoder.v1' too."
    )
    D201 = (
        "To compile to 8-bit integers takes documents, by which their ranges are chosen: give "
        "--data, with a few dozen documents like those that the pipeline is to read."
    )


class Warnings(metaclass=_WithCodes):
    DW02 = (
        "The head of the component '{name}' ('{head}') is not trained in phases, so the callback "
        "'spacy-docre.em_schedule.v1' does nothing. Remove it from [training.before_update], or "
        "use the head 'spacy-docre.KMGRE.v1'."
    )
    DW03 = (
        "{doc} was not resolved{maker}: it has no coreference chains, as after an error. Its "
        "pronouns and descriptions are attached by the rules of 'entity_clusters' instead. "
        "Coreferee prints the errors that it meets, and needs the pipeline's tagger and parser."
    )
    DW04 = (
        "The component '{name}' should use the coreference chains of '{factory}', which is not "
        "among the pipeline's active components. It goes on with its rules alone. Add it with "
        "`nlp.add_pipe('{factory}', before='{name}')`; a pipeline that {factory} refuses cannot "
        "use it: then set `chains = null`."
    )
    DW05 = (
        "The component '{name}' should use the coreference chains of '{factory}', which comes "
        "after it. It goes on with its rules alone. Put it before: "
        "`nlp.remove_pipe('{name}')`, then add '{name}' again with `after='{factory}'`."
    )
    DW06 = "Coreferee failed on {doc}: {reason}"
    DW07 = (
        "{n_files} file(s) in {folder} were skipped since their names end in {suffixes}; known "
        "are: {known}. Name a file itself to have it read as a text."
    )
    DW60 = (
        "Skipped in {folder}: {skipped}. Only regular files are read. Name the target of a link "
        "itself, or copy it."
    )
    DW61 = (
        "The component '{name}' has no rules for the pronouns and descriptions of the language "
        "'{lang}': only names are joined. Give its `anaphors` for this language (an empty list "
        "for none), or let a coreference component make `chains`."
    )
    DW62 = (
        "The component '{name}' finds no relations: no document has entity clusters under "
        "`doc.spans['{prefix}_1']`, ..., but there are span groups that begin with {found}. If "
        "these are the clusters, set `prefix` of the component to it."
    )
    DW63 = (
        "The component '{name}' finds no relations: {doc} has entities, but no entity clusters "
        "(`doc.spans['{prefix}_1']`, ...). Add the component 'entity_clusters' before it, or one "
        "that resolves coreference."
    )
    DW64 = (
        "The component '{name}' found no entity cluster (`doc.spans['{prefix}_1']`, ...) in "
        "{n_docs} documents in a row, and no entity. It needs components before it that find "
        "entities and clusters."
    )
    DW65 = (
        "The component '{name}' has not seen entities of the type '{entity_type}' in training; it "
        "knows {known}, and relations of others are guesses. If the recogniser only names its "
        "types otherwise, map them in [components.entity_clusters.types]."
    )
    DW66 = (
        "The training data have relation types that the component '{name}' did not know: {labels}. "
        "They are added to its {n_labels} types, whose scores stay as they are until they are "
        "trained. If one is a mistake, correct the data."
    )
    DW67 = (
        "The component '{name}' is to learn the relation type '{label}', which is what other data "
        "call no relation. Pairs without a relation need no type: if that is what it means, remove "
        "these relations from the data."
    )
    DW08 = (
        "None of the {n_documents} documents has an entity cluster, so there are no relations. The "
        "pipeline's components are: {names}. It needs one that finds entities and one that joins "
        "them, such as 'entity_clusters', before its relation extractor; or give --keep-clusters "
        "for .spacy files that have clusters."
    )
    DW12 = (
        "The stage '{stage}' is skipped: it needs {needs} before the relation extractor. The "
        "pipeline's components: {names}."
    )
    DW14 = (
        "The component '{name}' has constraints on the types of entities, but the type "
        "'{entity_type}' did not occur in its training data: entities of that type can be anything."
    )
    DW15 = (
        "`{setting}` of the component '{name}' contradicts {n_against} of the {n_relations} "
        "relations '{label}' in the training data. Look whether it says what was meant: head and "
        "tail may have been exchanged."
    )
    DW16 = (
        "`constraints.types` of the component '{name}' excludes nothing: its training data have no "
        "types of entities."
    )
    DW20 = (
        "The machine is busy: its load was {load:.1f} on {cores} cores before the first "
        "measurement. Ratios suffer less from that than seconds; repeat on an idle machine before "
        "you quote either."
    )
    DW23 = (
        "The component '{name}' failed on {n_docs} documents at once ({error}) but not on any of "
        "them alone, so they were annotated one by one. If they were too many for the memory, a "
        "smaller `max_batch_items` is quicker."
    )
    DW25 = (
        "{n_workers} workers were asked for, but the Ray cluster has room for {n_fitting} at "
        "present, with {cores} cores and {gpus} GPUs each. The others start when it grows."
    )
    DW31 = (
        "'{path}' is called a test corpus. What is chosen on test data makes the results on them "
        "look better than they are: use development data."
    )
    DW32 = (
        "The thresholds of {n} relation types of their own are dropped: the new threshold was "
        "chosen for all types. Give --per-label to choose them again."
    )
    DW33 = (
        "Nothing is saved, {path} keeps its thresholds: on documents that they were not fitted to "
        "the new ones have an F1 of {held_out}, and the old ones have {before}. More development "
        "data tell them apart better."
    )
    DW36 = (
        "No threshold reaches a precision of {precision} on these documents: even the relations of "
        "the highest scores are less often right. Ask for a lower precision."
    )
    DW40 = (
        "{reason}. The step is skipped. Steps skipped so far: {count}. The next warning comes when "
        "they are {next}."
    )
    DW41 = (
        "{path} holds weights that are not finite numbers ({names}). What is computed with them is "
        "not a number either, and the component finds no relations, or wrong ones. Was it saved by "
        "a training that failed?"
    )
    DW50 = (
        "{doc} exceeds {limits} of the component '{name}': {left_out} are skipped and get no "
        "relation. If there is memory for more, raise the limit in [components.{name}], or in "
        '`nlp.get_pipe("{name}").cfg`; `null` (None) sets no limit.'
    )
    DW51 = (
        "{n_docs} of {n_all} documents were larger than the limits of the component '{name}': "
        "{left_out} were skipped. Gold relations of these count as not found. Raise `max_pairs`, "
        "`max_mentions` or `max_wordpieces` if there is memory for more."
    )
    DW70 = (
        "The compiled encoder of this pipeline cannot be used here: {reason}. PyTorch computes in "
        "its place, with the scores of the pipeline that was compiled, but slower."
    )
    DW71 = (
        "The encoder has other weights than when it was compiled, so what was compiled is dropped, "
        "and PyTorch computes from now on. `python -m spacy_docre compile` compiles it again."
    )
    DW72 = (
        "`cpu_precision = int8` is gone: PyTorch drops what computed it. The pipeline computes in "
        "fp32. `python -m spacy_docre compile MODEL OUT --precision int8` makes one whose encoder "
        'computes in 8-bit integers. `cpu_precision = "fp32"` in '
        "[components.doc_relation_extractor.model] ends this warning."
    )
