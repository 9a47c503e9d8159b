"""Parts that screens are made of: data in by argument, messages out. One widget a file."""
