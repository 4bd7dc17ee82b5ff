"""Methods and seeds trained and compared on one corpus."""
