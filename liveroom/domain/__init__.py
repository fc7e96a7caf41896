"""Pure rules: facts, money, recognition. Imports only the standard types."""
