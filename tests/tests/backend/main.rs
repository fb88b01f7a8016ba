//! Tests of the backends that processes share, against real servers that each test starts by
//! itself.

mod redis;
