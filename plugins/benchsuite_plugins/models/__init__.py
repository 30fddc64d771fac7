"""Reference models: Detectron2's architectures, to its conventions and parameter names."""
