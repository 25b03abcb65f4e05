"""Is a transformer with momentum as good as one without, and what does it save?"""
