"""Real projects as their authors publish them, run by `draftsman run` with nothing configured."""
