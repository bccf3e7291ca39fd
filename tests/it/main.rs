//! Everything that crosses a socket, one module for each behaviour.
