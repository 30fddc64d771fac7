"""Files on a disk that may fill up, fail or be shared: durable writes, locks, digests."""
