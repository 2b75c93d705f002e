"""What the commands share to write and show results: files, the HTML page and its figures."""
