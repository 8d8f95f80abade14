"""The CAF in plain Python: episode, people, assessment, plan, consent, lifecycle, events, codes."""
