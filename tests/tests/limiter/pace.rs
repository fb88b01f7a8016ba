//! The pace of a limit: cuts after refusals, and the way back.
