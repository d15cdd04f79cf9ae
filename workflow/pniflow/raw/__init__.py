"""Raw files: one gate that opens them, tables of text, spreadsheets, and the account of their cells."""
