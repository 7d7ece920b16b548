"""Whether the outside world will accept our mail and let subscribers unsubscribe."""
