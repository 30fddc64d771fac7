"""Cityscapes' two protocols, equal to cityscapesscripts to the bit: instances and pixels.

``instances`` offers the first, which ``instance_match`` and ``instance_ap`` are the steps of, with
``instance_table`` between them; ``pixels`` offers the second, of ``pixel_counts``, ``pixel_table``
and ``pixel_scores``. ``official_instances`` and ``official_pixels`` run cityscapesscripts itself.
"""
