"""What is to be mailed once its cause is committed: written by anybody above, drained by others."""
