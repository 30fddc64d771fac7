"""How a model that only predicts is made fast: none of it trains, and none of it is in a
checkpoint."""
