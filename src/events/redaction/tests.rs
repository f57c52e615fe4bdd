//! What is kept private, and how the rest says so.
