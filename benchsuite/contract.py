"""The version of the contract between the host and its plugins, and how it may change.

The contract is: the hooks in ``benchsuite.hookspecs``, the specs in ``benchsuite.specs``, the
protocols in ``benchsuite.protocols``, the records in ``benchsuite.records``, the training targets
in ``benchsuite.targets`` and the Arrow schemas in ``benchsuite.schemas``.

Policy
------
The version is ``(major, minor)``.

* *minor* grows when something is added that an older plugin need not know: a hook, a spec field
  with a default, a nullable column, an optional method.
* *major* grows when something an existing plugin relies on is renamed, removed or changes its
  meaning. The release before warns for at least six months wherever a plugin still uses it.
* A plugin module may state the version it was written for as ``BENCHSUITE_CONTRACT = (1, 0)``.
  The host takes a plugin of its own major version and of its own or a lower minor one; any other
  plugin is listed with that reason and not used. A plugin that states nothing is taken as (1, 0).

History
-------
* (1, 4): a model may be asked to predict in half precision, compiled, channels-last or as CUDA
  graphs, and says which of these it can (``ModelRequest.execution``, ``ModelSpec.execution``).
* (1, 3): random choices about an image of a batch have a seed of their own (``Target.seed``), and a
  transform is given what ``benchsuite.training.augmentation.samples`` makes of an image and its
  target; a model may be told what belongs to one step, and to do with less memory
  (``StepwiseModel``, ``RecomputingModel``) and how common its categories are (``CountingModel``),
  say how large its network sees an image (``ResizingModel``) and how a file of proposals is read
  that it learns from (``ModelSpec.proposals``), and be given weights to start from
  (``ModelRequest.initial``, ``StartedModel``); a dataset may have outlines beside its masks and a
  source of images that other processes can open (``OutlinedDataset``, ``ImageSourceDataset``).
* (1, 2): a metric may take options, name its official scorer and evaluate many weightings at once
  (``MetricSpec.options``, ``MetricSpec.official``, ``ResampledMetric``); categories may have a
  frequency; rotated boxes, difficult objects, image attributes, federated annotation and maps given
  as files have columns; label formats are plugins (``FormatSpec``).
* (1, 1): models may train (``TrainableModel``, ``ParameterGroup``, ``Target``), and a
  loss states what it compares (``LossSpec.compares``).
"""

from __future__ import annotations

CONTRACT_VERSION: tuple[int, int] = (1, 4)


def accepts(wanted: tuple[int, int]) -> bool:
    """Whether this host can serve a plugin written for contract version ``wanted``."""
    major, minor = wanted
    return major == CONTRACT_VERSION[0] and minor <= CONTRACT_VERSION[1]
