"""Pascal VOC's average precision of boxes.

Everingham et al., The Pascal Visual Object Classes (VOC) Challenge, 2010. Two programs are followed
to the letter where they differ: the challenge's development kit (``VOCevaldet.m``) and Detectron2's
``PascalVOCDetectionEvaluator``, which most published numbers are by. See ``options``.
"""
