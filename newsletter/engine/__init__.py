"""Who hands chunks to whom. Losing all that an engine knows loses nothing: the ledger knows it.

A worker's sweep enqueues what the ledger says is due, over and over. An engine may run a chunk
twice, late, or never; whoever runs it must claim it in the ledger first.
"""

from newsletter.engine.dispatcher import Dispatcher, Work, open_dispatcher, prepare

__all__ = ["Dispatcher", "Work", "open_dispatcher", "prepare"]
