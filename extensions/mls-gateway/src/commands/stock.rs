//! `mls stock`: how many live KeyPackages each owner has.

use super::words::Words;
use super::{PAGE_ROWS, in_full};
use crate::MlsGateway;
use crate::storage::Page;
use std::fmt::Write as _;

/// Lists owners by key: key, live KeyPackages, whether that is below `keypackage_low_stock`.
pub(super) async fn run(me: &MlsGateway, words: Words) -> Result<String, String> {
    words.end()?;
    let now_s = me.host.clock().now_s();
    let mark = me.settings.keypackage_low_stock.unwrap_or(0) as u64;
    let mut printed = "owner\tlive\n".to_owned();
    let mut after = None::<String>;
    loop {
        let page = Page {
            after: after.as_deref(),
            max: PAGE_ROWS,
        };
        let owners = me.storage.stock(now_s, page).await;
        let owners = owners.map_err(|error| in_full(&error))?;
        let Some(last) = owners.last().map(|stock| stock.owner.to_hex()) else {
            return Ok(printed);
        };
        for stock in &owners {
            let low = if stock.live < mark { "\tlow" } else { "" };
            // Writing to a String cannot fail.
            let _ = writeln!(printed, "{}\t{}{low}", stock.owner.to_hex(), stock.live);
        }
        after = Some(last);
    }
}
