"""What became of messages that the gateway took: their records, counts of them, and cancelling them."""
