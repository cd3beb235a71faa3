//! What comes out of hooks, made fit to leave the relay.
//!
//! Invariant: every answer of an author's code passes here, called by `Hook` alone: whatever an extension says, clients get
//! one short line, and operators JSON of a bounded size.

use super::failure::HookError;
use super::hook::Answer;
use super::json_size::{self, Bounds};
use super::verdict::{Access, Admit, Commit, Removal};
use crate::reason::presentable;
use serde_json::Value;

/// An answer that can be made fit. An `Err` is a fault of the hook.
pub(super) trait Checked: Sized {
    fn checked(self) -> Answer<Self>;
}

/// The answer of a management method may be so large.
const RPC_BOUNDS: Bounds = Bounds {
    bytes: 8 << 20,
    depth: 100,
};

impl Checked for Admit {
    #[inline]
    fn checked(self) -> Answer<Self> {
        Ok(match self {
            Admit::Reject(reason) => Admit::Reject(reason.presentable()),
            admit => admit,
        })
    }
}

impl Checked for Commit {
    #[inline]
    fn checked(self) -> Answer<Self> {
        Ok(match self {
            Commit::Veto(reason) => Commit::Veto(reason.presentable()),
            commit => commit,
        })
    }
}

impl Checked for Access {
    fn checked(self) -> Answer<Self> {
        Ok(match self {
            Access::Close(reason) => Access::Close(reason.presentable()),
            access => access,
        })
    }
}

impl Checked for Removal {
    #[inline]
    fn checked(self) -> Answer<Self> {
        Ok(self)
    }
}

impl Checked for () {
    #[inline]
    fn checked(self) -> Answer<Self> {
        Ok(())
    }
}

/// Of a management method: its result, or its words for the operator.
impl Checked for Result<Value, String> {
    fn checked(self) -> Answer<Self> {
        match self {
            Ok(value) => match json_size::check(&value, RPC_BOUNDS) {
                Ok(()) => Ok(Ok(value)),
                Err(problem) => {
                    json_size::dismantle(value);
                    Err(HookError(format!("its answer {problem}")))
                }
            },
            Err(words) => Ok(Err(presentable(words.into()).into_owned())),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::reason::{REASON_CHARS_MAX, Reason};

    #[test]
    fn e6_a_reason_is_one_short_line() {
        let Admit::Reject(reason) = Admit::Reject(Reason::blocked("x".repeat(1 << 20)))
            .checked()
            .unwrap()
        else {
            panic!("a yes");
        };
        assert_eq!(reason.text.chars().count(), REASON_CHARS_MAX);
        assert_eq!(
            Commit::Veto(Reason::blocked("a\r\nb\u{0}c\u{202e}d"))
                .checked()
                .unwrap(),
            Commit::Veto(Reason::blocked("a  b c d"))
        );
        let silent = Access::Close(Reason::restricted(" \n")).checked().unwrap();
        assert_eq!(
            silent,
            Access::Close(Reason::restricted("no reason was given"))
        );
    }

    #[test]
    fn e6_an_answer_that_is_too_large_or_too_deep_is_a_fault() {
        let large: Result<Value, String> = Ok("x".repeat(9 << 20).into());
        let error = large.checked().unwrap_err();
        assert_eq!(error.0, "its answer is larger than 8388608 bytes");
        let mut deep = Value::Null;
        for _ in 0..1_000_000 {
            deep = Value::Array(vec![deep]);
        }
        let error = Ok(deep).checked().unwrap_err();
        assert_eq!(error.0, "its answer is nested deeper than 100 levels");
    }
}
