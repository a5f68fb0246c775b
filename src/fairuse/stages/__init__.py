"""The stages of the way, one verb per file; no stage imports a stage."""
