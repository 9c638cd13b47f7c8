NAME = "notes"
