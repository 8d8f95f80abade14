"""Form profiles: which fields a form of paper or screen has, in which versions, until when."""
