"""What the commands share to train networks: options, data, rows, runs and their store, and summaries of results."""
