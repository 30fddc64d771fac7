"""Training: a recipe and a dataset become weights.

    plan ─▶ beginning ─▶ loop ─▶ checkpoint, log, outcome

``plan`` settles what can be known without work, ``beginning`` builds, ``loop`` takes ``step`` after
``step``. What they use has rooms of its own: ``data`` and the ``order`` it comes in,
``augmentation``, ``loading``, weights to ``start`` from, ``optimization``, ``processes``,
``validation``, and ``failures``. Nothing here is imported by a command that does not train.
"""
