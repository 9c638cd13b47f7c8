"""What is done over stored deliveries with GitHub's help, kind by kind, and the loop that does it."""
