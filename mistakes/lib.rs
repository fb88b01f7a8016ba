//! Nothing. The tests of this package are mistakes with the macros, and their messages.
