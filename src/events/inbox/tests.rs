//! What waits, and what is taken.
