"""How well recall does: metrics, and readers of public question sets. Nothing here runs in production."""
