"""Azure Table Storage: keys, transactions, and the stores built on them."""
