"""The words of Draftsman as frozen values. Nothing here does I/O."""
