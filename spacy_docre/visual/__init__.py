"""What people look at: documents with their relations as HTML, and heat maps of what a head looked
at."""
