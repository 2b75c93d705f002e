"""What the commands share to show results: the HTML page, curves and galleries."""
