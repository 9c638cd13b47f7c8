"""What each kind of event calls for, kind by kind; `bot/triggers.py` has the table. Pure."""
