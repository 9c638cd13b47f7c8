"""Plans of popular repositories, set beside what their own workflows run."""
