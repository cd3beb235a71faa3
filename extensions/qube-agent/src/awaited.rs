//! What a node waits for, in words, and where `status` finds it: a file beside the node's others, which decides nothing.

use crate::durable;
use std::io;
use std::path::Path;
use trellis_qube_protocol::Condition;
use trellis_qube_protocol::decision::WaitReason;

const FILE: &str = "waits";

/// For people.
pub(crate) fn words(reason: &WaitReason) -> String {
    match reason {
        WaitReason::Deadline(at_s) => format!("all nodes do it at {at_s}"),
        WaitReason::Rollout { bucket, percent } => {
            format!(
                "this node's place is {bucket} of 100, and the votes let the first {percent} begin"
            )
        }
        WaitReason::Success { percent, least } => {
            format!("{percent} % of the nodes before it have succeeded, at least {least} % have to")
        }
        WaitReason::Condition(Condition::After(key)) => {
            format!("this node has to have done the action {key} before")
        }
        WaitReason::Condition(Condition::Height(height)) => {
            format!("this node's chain has to have the height {height}")
        }
        WaitReason::Condition(Condition::Between { from, .. }) => {
            format!("its time begins at {from}")
        }
    }
}

/// Keeps it in a network's folder, or nothing.
pub(crate) fn keep(folder: &Path, words: Option<&str>) -> io::Result<()> {
    let file = folder.join(FILE);
    match words {
        Some(words) => durable::replace(&file, words.as_bytes()),
        None if file.exists() => durable::remove(&file),
        None => Ok(()),
    }
}

/// What is kept.
pub(crate) fn read(folder: &Path) -> Option<String> {
    let kept = durable::read(&folder.join(FILE)).ok().flatten()?;
    String::from_utf8(kept).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a8_what_is_awaited_is_told_in_words() {
        let key = trellis_qube_protocol::ActionKey::from_bytes([7; 32]);
        let told = words(&WaitReason::Condition(Condition::After(key)));
        assert!(
            told.ends_with(&format!("the action {key} before")),
            "{told}"
        );
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(read(folder.path()), None);
        keep(folder.path(), Some(&told)).expect("kept");
        assert_eq!(read(folder.path()), Some(told));
        keep(folder.path(), None).expect("removed");
        assert_eq!(read(folder.path()), None);
    }
}
