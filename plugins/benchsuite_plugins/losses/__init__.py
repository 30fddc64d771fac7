"""Loss functions that a training recipe can name; each is a callable of predictions and targets."""
