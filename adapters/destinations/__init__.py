"""How parcels leave: webhook, queue, or waiting to be fetched. Nothing here knows what is
inside.
"""
