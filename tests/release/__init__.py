"""What a release carries, tried where nothing of the checkout is in reach."""
