"""One source per chapter, four editions. Plan here (pure); files are written by `write.py`."""
