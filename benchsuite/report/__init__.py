"""What a person looks at: a run's own page, and the leaderboards drawn from a store.

Everything here reads columns and writes files. Nothing computes a metric, asks a model anything or
imports torch.
"""
