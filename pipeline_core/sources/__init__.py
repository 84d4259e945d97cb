"""Where rows come from: files, and the demo portfolio. A source gives an Arrow table, nothing typed yet."""
