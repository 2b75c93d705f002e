"""What the commands share to train networks: options, rows, runs and where they are kept, and what they come to."""
