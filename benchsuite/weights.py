"""Which weights a run uses, and bringing them to this machine, checked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from benchsuite.downloads.byte_progress import byte_progress
from benchsuite.downloads.download import check_scheme, download, local_path, remote_size
from benchsuite.errors import DataMissingError, InputError, unknown_name
from benchsuite.files.digest_cache import remembered_digests
from benchsuite.files.digests import ExpectedDigests
from benchsuite.paths import weights_folder
from benchsuite.specs import RecipeSpec
from benchsuite.trained import find_trained

RANDOM = "random"
"""The argument that asks for weights drawn at random."""

OPTION = "--weights"

SUFFIXES = (".pkl", ".pth", ".pt", ".pyth", ".npz", ".safetensors")
"""Endings that tell a file's name from a recipe's, where no such file is there."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of a run.

    Attributes:
        name: the recipe's name if they are its weights, else the file's name, or ``"random"``.
        path: the checkpoint on this machine; ``None``: random weights.
        sha256: of the checkpoint's bytes, in hexadecimal.
        random: whether they are drawn at random.
    """

    name: str
    path: Path | None
    sha256: str | None
    random: bool

    def to_json(self) -> dict[str, str | None] | str:
        return RANDOM if self.random else {"name": self.name, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class _Published:
    """What a recipe says of its weights."""

    name: str
    url: str
    bytes: int | None
    digests: ExpectedDigests

    @classmethod
    def of(cls, name: str, body: Mapping[str, Any]) -> _Published:
        table: Mapping[str, Any] = body.get("weights", {})
        digests = ExpectedDigests(
            **{key: table.get(key, "") for key in ("sha256", "md5", "md5_prefix", "sha256_prefix")}
        )
        return cls(name, table.get("url", ""), table.get("bytes"), digests)

    def are(self, path: Path, found: Mapping[str, str]) -> bool:
        """Whether a file is these weights, wherever it lies.

        A prefix of a digest proves little, so that the file's name must agree too.
        """
        if not self.digests.algorithms or self.digests.mismatch(found) is not None:
            return False
        whole = self.digests.sha256 or self.digests.md5
        return bool(whole) or path.name == _file_name(self.url)


@dataclass(frozen=True, slots=True)
class _Choice:
    """Where the weights are to come from: a URL, a file, or (neither) chance.

    ``title`` is what a file is called, where its name says nothing.
    """

    url: str = ""
    file: Path | None = None
    published: _Published | None = None
    title: str = ""

    @property
    def is_remote(self) -> bool:
        return bool(self.url) and urlsplit(self.url).scheme != "file"

    @property
    def path(self) -> Path | None:
        """Where the checkpoint is, or will be."""
        if not self.url:
            return self.file
        if not self.is_remote:
            return local_path(self.url)
        key = hashlib.sha256(self.url.encode()).hexdigest()[:16]
        return weights_folder() / key / _file_name(self.url)


def resolve_weights(
    argument: str | None,
    recipe: RecipeSpec | None,
    body: Mapping[str, Any] | None,
    *,
    option: str = OPTION,
) -> Weights:
    """The weights that ``--weights`` asks for, on this machine.

    Args:
        argument: ``"random"``, the name of a recipe, an ``http:``, ``https:`` or ``file:`` URL, a
            training's folder or a file; ``None``: those of ``recipe``, random ones where it has
            none.
        recipe: the recipe that the model was taken from.
        body: the whole recipe.
        option: what the user gives ``argument`` with, for messages.

    Raises:
        UsageError: ``argument`` is none of these.
        DataMissingError: the file is not there, or cannot be downloaded.
        InputError: the file has another digest than the recipe says. It is not used.
    """
    choice = _choose(argument, recipe, body or {}, option)
    path, published = choice.path, choice.published
    if path is None:
        return Weights(RANDOM, None, None, random=True)
    if choice.is_remote:
        if _problem(path, published) is not None:
            _download(choice.url, path, published, option)
    else:
        _require_file(path)
        # A file of one's own may be what it likes; one that is to be a recipe's may not.
        if choice.url and (problem := _problem(path, published)) is not None:
            raise InputError(f"these are not the expected weights: {problem}", file=path)
    found = _digests(path, published)
    if published is not None and (choice.url or published.are(path, found)):
        return Weights(published.name, path, found["sha256"], random=False)
    return Weights(choice.title or path.name, path, found["sha256"], random=False)


def locate_weights(
    argument: str | None,
    recipe: RecipeSpec | None,
    body: Mapping[str, Any] | None,
    *,
    option: str = OPTION,
) -> dict[str, Any] | str:
    """What ``resolve_weights`` would use, as JSON-able values; nothing is downloaded.

    Returns:
        ``"random"``, or ``name``, ``path``, ``url`` (``None`` for a file), ``present`` (whether
        the file is on this machine) and ``bytes`` (``None`` where nobody says).

    Raises:
        UsageError: ``argument`` cannot be understood.
        DataMissingError: it names a file that is not there, or a recipe without weights.
    """
    choice = _choose(argument, recipe, body or {}, option)
    path, published = choice.path, choice.published
    if path is None:
        return RANDOM
    if not choice.is_remote:
        _require_file(path)
    title = choice.title or path.name
    size = published.bytes if published is not None else None
    if path.is_file():
        size = path.stat().st_size
    elif size is None:
        size = remote_size(choice.url)
    return {
        "name": published.name if published is not None and choice.url else title,
        "url": choice.url or None,
        "path": str(path),
        "present": path.is_file(),
        "bytes": size,
    }


def _choose(
    argument: str | None, recipe: RecipeSpec | None, body: Mapping[str, Any], option: str
) -> _Choice:
    from benchsuite.plugins import registry

    recipes = registry().recipes
    own = _Published.of(recipe.name, body) if recipe is not None else None
    if argument is None:
        return _Choice(url=own.url, published=own) if own is not None else _Choice()
    if argument == RANDOM:
        return _Choice()
    if "://" in argument or argument.startswith("file:"):
        check_scheme(argument)
        at_url = [spec for spec in recipes.values() if spec.weights_url == argument]
        return _Choice(url=argument, published=_published(at_url[0]) if at_url else None)
    if argument in recipes:
        published = _published(recipes[argument])
        if not published.url:
            raise DataMissingError(
                f"no weights of {argument!r} have been published. Give a file ({option} FILE), or "
                f"take random ones ({option} {RANDOM})"
            )
        return _Choice(url=published.url, published=published)
    if (trained := find_trained(argument)) is not None:
        return _Choice(file=trained.weights, title=trained.name, published=own)
    path = Path(argument).expanduser()
    if path.is_file() or path.suffix in SUFFIXES or len(path.parts) > 1:
        return _Choice(file=path, published=own)
    raise unknown_name(
        "weights",
        argument,
        [*recipes, RANDOM],
        hint=f"({option} takes files, URLs and folders of trainings too.)",
    )


def _published(spec: RecipeSpec) -> _Published:
    from benchsuite.resolve import use

    return _Published.of(spec.name, use(spec.source, f"recipe {spec.name!r}")(spec.name))


def _digests(path: Path, published: _Published | None) -> dict[str, str]:
    algorithms = {"sha256", *(published.digests.algorithms if published else ())}
    return remembered_digests(path, sorted(algorithms), weights_folder() / "digests")


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise DataMissingError(f"there is no weights file {path.absolute()}")


def _problem(path: Path, published: _Published | None) -> str | None:
    """Why the file at ``path`` is not what is wanted; ``None``: it is."""
    if not path.is_file():
        return "it is not there"
    if published is None:
        return None
    size = path.stat().st_size
    if published.bytes is not None and size != published.bytes:
        return f"it has {size} bytes, expected {published.bytes}"
    return published.digests.mismatch(_digests(path, published))


def _download(url: str, path: Path, published: _Published | None, option: str) -> None:
    digests = published.digests if published else ExpectedDigests()
    with byte_progress(path.name) as report:
        download(
            url,
            path,
            sha256=digests.sha256,
            md5=digests.md5,
            md5_prefix=digests.md5_prefix,
            sha256_prefix=digests.sha256_prefix,
            expected_bytes=published.bytes if published else None,
            progress=report,
            retry=f"run the same command again, or give the file with {option} FILE",
        )


def _file_name(url: str) -> str:
    """The last part of a URL's path, as a name that every file system takes."""
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".") or "weights"
