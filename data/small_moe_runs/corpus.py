"""The text that all runs train on: Debian's dictionaries and manuals, as tokens.

``load(cache)`` gives the token arrays, and makes them first where the cache has none: it unpacks the
packages of `SOURCES`, keeps their English prose, puts whole documents into training or validation, and
trains the vocabulary on the training part. The same packages give the same corpus, and `Corpus.name`,
a hash of text, split and vocabulary, says so: losses of two corpora must not be compared.
"""

import gzip
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
from grid import VOCABULARY
from numpy.typing import NDArray

from moelaws.errors import InputError

END = "<|end|>"
VALIDATION_TOKENS = 2**20
VALIDATION_SHARE = 0.055
"""Share of the documents that is held out; a little more than `VALIDATION_TOKENS` of them."""

Tokens = NDArray[np.uint16]


@dataclass(frozen=True)
class Source:
    """Documents of one package.

    Parameters
    ----------
    package : str
        Name of the Debian package.
    files : str
        Which of its files, as a pattern below the folder where it was unpacked.
    without : str
        Files whose path holds this word are left out.
    split : callable
        A file's text → its documents, each a list of paragraphs.
    """

    package: str
    files: str
    without: str
    split: Callable[[str], Iterator[list[str]]]


@dataclass(frozen=True)
class Corpus:
    """Tokens to train on and tokens held out.

    Parameters
    ----------
    name : str
        The first 16 digits of the SHA-256 of text, split and vocabulary.
    train, validation : numpy.ndarray
        Token numbers; the documents of each part, in random order, end in a token of their own.
    """

    name: str
    train: Tokens
    validation: Tokens


def paragraphs(text: str) -> list[str]:
    """Return the English prose of a text, one line for each paragraph.

    Kept are paragraphs of ASCII, of at least four words, in which four of five characters are letters or
    spaces: that leaves out tables, code and rulers.
    """
    kept = []
    for block in re.split(r"\n\s*\n", text):
        lines = (line.strip() for line in block.splitlines())
        line = re.sub(r"\s+", " ", " ".join(line for line in lines if any(map(str.isalnum, line))))
        letters = sum(character.isalpha() or character == " " for character in line)
        if line.isascii() and line.count(" ") >= 3 and letters >= 0.8 * len(line):
            kept.append(line)
    return kept


def dictionary(text: str) -> Iterator[list[str]]:
    """Split a dictionary into its entries, which begin at the left margin after an empty line."""
    plain = re.sub(r"\[(1913 Webster|Webster 1913 Suppl\.|PJC|WordNet 1\.5)\]| ?\\[^\\\n]*\\|[{}]", "", text)
    starts = [0, *(match.end() for match in re.finditer(r"\n\s*\n(?=\S)", plain)), len(plain)]
    for start, end in pairwise(starts):
        yield paragraphs(plain[start:end])


def restructured(text: str) -> Iterator[list[str]]:
    """Take the prose of a manual page in reStructuredText or AsciiDoc."""
    yield paragraphs(re.sub(r":[a-z:]+:(?=`)|`+|\*+|^\.\. .*$|^:[\w ]+:.*$", "", text, flags=re.MULTILINE))


def pod(text: str) -> Iterator[list[str]]:
    """Take the prose of a Perl manual page."""
    plain = re.sub(r"^=\w+ ?", "", text, flags=re.MULTILINE)
    yield paragraphs(re.sub(r"\b[A-Z]<+ ?([^<>]*?) ?>+", r"\1", plain))


class _Blocks(HTMLParser):
    """What an HTML page shows, blocks apart."""

    HIDDEN = frozenset({"script", "style", "pre", "head", "table"})
    INLINE = frozenset({"a", "b", "i", "em", "strong", "code", "span", "tt", "var", "kbd", "sup", "sub", "acronym"})

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.hidden += tag in self.HIDDEN
        if tag not in self.INLINE:
            self.text.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        self.hidden = max(0, self.hidden - (tag in self.HIDDEN))
        if tag not in self.INLINE:
            self.text.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.text.append(re.sub(r"\s+", " ", data))


def html(text: str) -> Iterator[list[str]]:
    """Take the prose of an HTML page."""
    page = _Blocks()
    page.feed(text)
    yield paragraphs("".join(page.text))


SOURCES = (
    Source("dict-gcide", "usr/share/dictd/gcide.dict.dz", "", dictionary),
    Source("dict-foldoc", "usr/share/dictd/foldoc.dict.dz", "", dictionary),
    Source("linux-doc-6.1", "usr/share/doc/linux-doc-6.1/Documentation/**/*.rst.gz", "translations", restructured),
    Source("python3.11-doc", "usr/share/doc/python3.11/html/_sources/**/*.rst.txt", "", restructured),
    Source("perl-doc", "usr/share/perl/*/pod/*.pod", "", pod),
    Source("git-doc", "usr/share/doc/git-doc/**/*.txt", "", restructured),
    Source("postgresql-doc-15", "usr/share/doc/postgresql-doc-15/html/*.html", "", html),
    Source("sqlite3-doc", "usr/share/doc/sqlite3/**/*.html", "", html),
)


def load(cache: Path) -> Corpus:
    """Return the corpus, made where the cache does not hold it yet.

    Parameters
    ----------
    cache : pathlib.Path
        Folder for packages and tokens, some 500 MB.

    Raises
    ------
    InputError
        If a package is neither in the folder ``packages`` of the cache nor to be fetched.
    """
    folder = cache / "corpus"
    if not (folder / "corpus.json").exists():
        _make(unpack(cache / "packages"), folder)
    name = json.loads((folder / "corpus.json").read_text())["name"]
    train, held_out = (np.load(folder / f"{part}.npy", mmap_mode="r") for part in ("train", "validation"))
    return Corpus(name, train, held_out[: VALIDATION_TOKENS + 1])


def synthetic() -> Corpus:
    """Return a small corpus without any package, to try the program: tokens that depend on the one before."""
    draw = np.random.default_rng(0)
    likely = draw.integers(0, VOCABULARY, size=(VOCABULARY, 8), dtype=np.uint16)
    tokens = np.zeros(2**17 + 2**14, dtype=np.uint16)
    for place, choice in enumerate(draw.integers(0, 8, size=len(tokens) - 1)):
        tokens[place + 1] = likely[tokens[place], choice]
    return Corpus("synthetic", tokens[: 2**17], tokens[2**17 :])


def unpack(folder: Path) -> Path:
    """Fetch the packages that are not in a folder, unpack all, and return where: no root is needed.

    Raises
    ------
    InputError
        If a package cannot be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for package in (source.package for source in SOURCES):
        if not list(folder.glob(f"{package}_*.deb")):
            _run(["apt-get", "download", package], folder)
        (archive,) = sorted(folder.glob(f"{package}_*.deb"))[-1:] or [Path(f"{package}.deb")]
        _run(["dpkg-deb", "-x", str(archive), "unpacked"], folder)
    return folder / "unpacked"


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", "") or str(error)
        reason = " ".join(told.split()).rstrip(".")
        raise InputError(
            f"'{' '.join(command)}' failed in {folder} ({reason}); the .deb file of each package that README.md lists "
            "is expected in that folder."
        ) from None


def documents(unpacked: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the paragraphs of every document, no paragraph twice.

    A paragraph that occurs in two documents stays in the first, so the held-out documents hold none that
    was trained on.
    """
    seen: set[bytes] = set()
    for source in SOURCES:
        for path in sorted(unpacked.glob(source.files)):
            place = path.relative_to(unpacked).as_posix()
            if source.without and source.without in place:
                continue
            raw = gzip.decompress(path.read_bytes()) if path.suffix in {".gz", ".dz"} else path.read_bytes()
            for number, document in enumerate(source.split(raw.decode("utf-8", errors="replace"))):
                new = []
                for paragraph in document:
                    key = hashlib.sha256(paragraph.encode()).digest()
                    if key not in seen:
                        seen.add(key)
                        new.append(paragraph)
                if new:
                    yield f"{place}#{number}", new


def divide(named: Iterator[tuple[str, list[str]]]) -> tuple[list[str], list[str]]:
    """Put whole documents into training or validation, each in an order that is random and always the same."""
    parts: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
    for name, document in named:
        digest = hashlib.sha256(name.encode()).hexdigest()
        held_out = int(digest[:8], 16) < VALIDATION_SHARE * 2**32
        parts[held_out].append((digest[8:], "\n".join(document)))
    train, validation = ([text for _, text in sorted(part)] for part in parts)
    return train, validation


def _make(unpacked: Path, folder: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    train, validation = divide(documents(unpacked))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = [chr(code) for code in range(33, 127)] + ["Ġ", "Ċ"]
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=alphabet)
    tokenizer.train_from_iterator(train, trainer)
    digest = hashlib.sha256(tokenizer.to_str().encode())
    folder.mkdir(parents=True, exist_ok=True)
    counts = {}
    for part, texts in (("train", train), ("validation", validation)):
        digest.update("\0".join(["", part, *texts]).encode())
        arrays = (np.array([*one.ids, 0], dtype=np.uint16) for one in tokenizer.encode_batch_fast(texts))
        tokens = np.concatenate(list(arrays))
        np.save(folder / f"{part}.npy", tokens)
        counts[part] = {"documents": len(texts), "characters": sum(map(len, texts)), "tokens": len(tokens)}
    if counts["validation"]["tokens"] <= VALIDATION_TOKENS:
        raise InputError(
            f"The packages hold {counts['validation']['tokens']} held-out tokens; "
            f"more than {VALIDATION_TOKENS} are expected."
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    facts = {"name": digest.hexdigest()[:16], "sha256": digest.hexdigest(), **counts}
    # Last, and at once: a corpus without this file is made anew.
    partial = folder / "corpus.json.partial"
    partial.write_text(json.dumps(facts, indent=1))
    os.replace(partial, folder / "corpus.json")
