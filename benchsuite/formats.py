"""Reading labels and detections in whichever format they lie: finding the format, and using it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchsuite.errors import DataMissingError, PluginError, UsageError
from benchsuite.plugins import registry
from benchsuite.resolve import use
from benchsuite.specs import FormatSpec

if TYPE_CHECKING:
    from benchsuite.protocols import Predictions, PredictionsRequest, Truth, TruthRequest

Function = Literal["read_truth", "write_truth", "read_predictions", "write_predictions"]


def formats_that(function: Function) -> dict[str, FormatSpec]:
    """The formats that offer a function, by name."""
    return {
        name: spec
        for name, spec in sorted(registry().formats.items())
        if getattr(spec, function) is not None
    }


def find_format(name: str, function: Function) -> FormatSpec:
    """The format of that name.

    Raises:
        UsageError: there is none, or it does not offer the function.
        PluginError: the plugin that was to provide it could not be used.
    """
    spec: FormatSpec = registry().find("formats", name)
    if getattr(spec, function) is None:
        verb, what = function.split("_")
        raise UsageError(
            f"the format {name!r} does not {verb} {what}; these do: "
            f"{', '.join(formats_that(function))}"
        )
    return spec


def recognise(path: Path, function: Function = "read_truth") -> FormatSpec:
    """The one format that ``path`` looks like, among those that offer the function.

    Raises:
        DataMissingError: the path is not there.
        UsageError: no format fits, or several do; names the known ones.
        PluginError: a format's plugin fails.
    """
    if not path.exists():
        raise DataMissingError(f"there is no file or folder {path}")
    known = formats_that(function)
    fitting = [spec for spec in known.values() if _fits(spec, path)]
    if len(fitting) == 1:
        return fitting[0]
    what = function.split("_")[1]
    if fitting:
        names = " and ".join(spec.name for spec in fitting)
        raise UsageError(f"{path} looks like {what} of the formats {names}: say which it is")
    listed = "; ".join(f"{spec.name} ({spec.summary})" for spec in known.values())
    raise UsageError(f"{path} looks like {what} of none of the known formats: {listed}")


def read_truth(request: TruthRequest, name: str | None = None) -> Truth:
    """Truth in the named format, or in the one that the path looks like.

    Raises:
        DataMissingError: the path, or something that its content needs, is not there.
        UsageError: the format is not known, or cannot be told.
        InputError: the content is not what the format says.
    """
    spec = _chosen(request.path, name, "read_truth")
    truth: Truth = use(str(spec.read_truth), f"format {spec.name!r}")(request)
    return truth


def read_predictions(request: PredictionsRequest, name: str | None = None) -> Predictions:
    """Predictions in the named format, or in the one that the path looks like.

    Raises: as ``read_truth``.
    """
    spec = _chosen(request.path, name, "read_predictions")
    predictions: Predictions = use(str(spec.read_predictions), f"format {spec.name!r}")(request)
    return predictions


def _chosen(path: Path, name: str | None, function: Function) -> FormatSpec:
    if name is None:
        return recognise(path, function)
    if not path.exists():
        raise DataMissingError(f"there is no file or folder {path}")
    return find_format(name, function)


def _fits(spec: FormatSpec, path: Path) -> bool:
    if path.is_file() and not path.name.lower().endswith(spec.suffixes):
        return False
    try:
        return bool(use(spec.recognises, f"format {spec.name!r}")(path))
    except (OSError, ValueError, TypeError, AttributeError, LookupError) as error:
        raise PluginError(
            f"the format {spec.name!r} fails to look at {path}: {error}; say which format it is"
        ) from error
