//! The first page of the author's guide, so that the tests of documentation compile the program in it. The other pages need
//! no command line and are tested with the core.

#![doc = include_str!("../docs/extensions/README.md")]
