"""One file, one question of speed or safety → figures measured in one run."""
