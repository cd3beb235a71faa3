//! Events as lines of JSON, into a store and out of it: what `trellis import` and `trellis export` do.
//!
//! Commands add files, arguments and words; nothing here prints. Who may see an event is not asked: these are for those
//! who own the store.

mod export;
mod import;
mod lines;

pub use export::{ExportError, ExportOptions, export};
pub use import::{ImportError, ImportNote, ImportOptions, ImportTotals, import};
