"""Cityscapes: instances, semantic and panoptic maps of the fine annotations.

``labels`` is the table of what pixels can be; ``layout`` finds the files of a split, ``instances``
and ``panoptic`` read truth from them, and ``dataset`` offers it. Cordts et al., The Cityscapes
Dataset for Semantic Urban Scene Understanding, 2016.
"""
