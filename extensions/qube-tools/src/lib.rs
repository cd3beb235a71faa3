//! The commands of `trellis qube`.
