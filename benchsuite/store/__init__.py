"""The store of results: one Parquet file a run and table, there whole or not at all."""
