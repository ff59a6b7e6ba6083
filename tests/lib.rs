//! Holds nothing: cargo wants a target beside the test binary in `it/`.
