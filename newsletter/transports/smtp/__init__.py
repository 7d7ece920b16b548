"""The `smtp` transport: a pool of pipelined connections to a relay."""
