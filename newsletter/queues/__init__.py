"""Queues of mail to send once its cause is committed: written by any package above."""
