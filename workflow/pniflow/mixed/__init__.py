"""Mixed models: the engine, which imports numpy and scipy only."""
