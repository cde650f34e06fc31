"""What is known of Norwegian words: their forms, their spelling in Nynorsk, their parts.

The tables beside the code were made by `scripts/make_word_tables.py`; SOURCES.md says of what.
"""
