"""How good the model is meanwhile."""
