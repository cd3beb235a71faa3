//! The words of an order: what it is about, and `--reason TEXT` or `--reason=TEXT`, in either order.

const WANTED: &str = "this wants what it is about, and a reason";
const JOINED: &str = "--reason=";

/// An order as it was typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Order<'w> {
    pub(super) subject: &'w str,
    pub(super) reason: &'w str,
}

/// The words of an order, the first of which is the order itself.
pub(super) fn order<'w>(words: &[&'w str]) -> Result<Order<'w>, &'static str> {
    match *words {
        [_, subject, "--reason", reason] | [_, "--reason", reason, subject]
            if !subject.starts_with("--") =>
        {
            Ok(Order { subject, reason })
        }
        [_, one, other] => match (one.strip_prefix(JOINED), other.strip_prefix(JOINED)) {
            (None, Some(reason)) if !one.starts_with("--") => Ok(Order {
                subject: one,
                reason,
            }),
            (Some(reason), None) if !other.starts_with("--") => Ok(Order {
                subject: other,
                reason,
            }),
            _ => Err(WANTED),
        },
        _ => Err(WANTED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b14_an_order_has_a_subject_and_a_reason() {
        let read = Ok(Order {
            subject: "ab",
            reason: "why not",
        });
        assert_eq!(order(&["ban", "ab", "--reason", "why not"]), read);
        assert_eq!(order(&["ban", "--reason", "why not", "ab"]), read);
        assert_eq!(order(&["ban", "ab", "--reason=why not"]), read);
        assert_eq!(order(&["ban", "--reason=why not", "ab"]), read);
        for wrong in [
            &["ban"][..],
            &["ban", "--reason=x", "--reason=y"],
            &["ban", "ab"],
            &["ban", "ab", "why"],
            &["ban", "ab", "--reason"],
            &["ban", "--force", "--reason", "x"],
            &["ban", "ab", "--reason", "x", "y"],
        ] {
            assert!(order(wrong).is_err(), "{wrong:?}");
        }
    }
}
