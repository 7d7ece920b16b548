"""The loop that sends a campaign: claim a chunk, reserve batches, record outcomes."""
