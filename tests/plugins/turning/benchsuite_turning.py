"""What a plugin registers: a transform. Nothing heavy is imported here."""

from benchsuite import TransformSpec, hookimpl


@hookimpl
def benchsuite_transforms():
    return [TransformSpec("Turn", factory="benchsuite_turning_transform:Turn")]
