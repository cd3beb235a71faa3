//! `mls groups`: what is known of each group, one a line.

use super::words::Words;
use super::{PAGE_ROWS, in_full};
use crate::MlsGateway;
use crate::storage::{Group, Page};
use std::fmt::Write as _;

/// Lists all groups by id: id, members, epoch, seconds since the last message, name.
pub(super) async fn run(me: &MlsGateway, words: Words) -> Result<String, String> {
    words.end()?;
    let now_s = me.host.clock().now_s();
    let mut printed = "group\tmembers\tepoch\tlast message\tname\n".to_owned();
    let mut after = None::<String>;
    loop {
        let page = Page {
            after: after.as_deref(),
            max: PAGE_ROWS,
        };
        let groups = me.storage.groups(None, page).await;
        let groups = groups.map_err(|error| in_full(&error))?;
        let Some(last) = groups.last().map(|group| group.group_id.clone()) else {
            return Ok(printed);
        };
        for group in &groups {
            print(&mut printed, group, now_s);
        }
        after = Some(last);
    }
}

fn print(printed: &mut String, group: &Group, now_s: u64) {
    let members = match group.owner {
        Some(_) => group.member_count.to_string(),
        None => "-".to_owned(),
    };
    let epoch = group.last_epoch.map_or("-".to_owned(), |it| it.to_string());
    let seen = group.last_event_s.map_or("-".to_owned(), |at_s| {
        format!("{} s ago", now_s.saturating_sub(at_s))
    });
    let name = group.display_name.as_deref().unwrap_or("-");
    let plain = |text: &str| text.replace(char::is_control, "?");
    // Writing to a String cannot fail.
    let _ = writeln!(
        printed,
        "{}\t{members}\t{epoch}\t{seen}\t{}",
        plain(&group.group_id),
        plain(name)
    );
}
