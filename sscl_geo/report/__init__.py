"""Pictures, tables and pages that show what was done and what came out."""
