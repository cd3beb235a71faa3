//! What of a key's blobs is shown: what is neither hidden nor on a block list.
//!
//! Invariant: the lists are asked as they are now, since those who look through what is stored come later.

use crate::block_lists::BlockLists;
use crate::holdings::Holdings;
use crate::index::{Blob, IndexError, ListPage, Listed};
use trellis_relay::event::PublicKey;

/// A page of what a key has claimed. It has less than `max` only at the end.
pub(crate) async fn list(
    holdings: &Holdings,
    lists: &BlockLists,
    owner: &PublicKey,
    page: &ListPage,
) -> Result<Vec<Listed>, IndexError> {
    let mut shown = Vec::new();
    let mut after = page.after;
    loop {
        let max = page.max - shown.len();
        let rest = ListPage {
            after,
            max,
            ..*page
        };
        let listed = holdings.index().list(owner, &rest).await?;
        let is_end = listed.len() < max;
        after = listed.last().map(Listed::place).or(after);
        shown.extend(listed.into_iter().filter(|it| !is_listed(lists, &it.blob)));
        if is_end || shown.len() == page.max {
            return Ok(shown);
        }
    }
}

/// A blob as it is by now, if it is there and shown.
pub(crate) async fn again(
    holdings: &Holdings,
    lists: &BlockLists,
    blob: &Blob,
) -> Result<Option<Blob>, IndexError> {
    let found = holdings.index().blob(&blob.sha256).await?;
    Ok(found.filter(|blob| !blob.is_hidden() && !is_listed(lists, blob)))
}

/// Whether a block list has it, by the hashes that are known of it.
pub(crate) fn is_listed(lists: &BlockLists, blob: &Blob) -> bool {
    lists.is_blocked(
        blob.sha256.as_bytes(),
        blob.md5.as_ref(),
        blob.sha1.as_ref(),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ground::{Ground, WIDE, key, noise};

    #[tokio::test]
    async fn b7_what_a_list_has_is_not_in_a_list_of_blobs_whenever_it_is_quarantined() {
        let ground = Ground::new(WIDE).await;
        let holdings = &ground.holdings;
        for seed in 0..6 {
            ground.upload(&noise(seed, 100), &key(1)).await.unwrap();
        }
        let page = ListPage {
            max: 6,
            ..ListPage::default()
        };
        let all = holdings.index().list(&key(1), &page).await.unwrap();
        let hashes: Vec<_> = all.iter().map(|it| it.blob.sha256).collect();
        let file = ground.folder.path().join("list.txt");
        let listed = [hashes[0], hashes[1], hashes[4]].map(|hash| hash.to_string());
        std::fs::write(&file, listed.join("\n")).unwrap();
        let lists = BlockLists::load(vec![file]).unwrap();

        let page = ListPage { max: 2, ..page };
        let first = list(holdings, &lists, &key(1), &page).await.unwrap();
        let names = |page: &[Listed]| page.iter().map(|it| it.blob.sha256).collect::<Vec<_>>();
        assert_eq!(
            names(&first),
            hashes[2..4],
            "a page is full where there is more"
        );
        let after = first.last().map(Listed::place);
        let page = ListPage { after, ..page };
        let second = list(holdings, &lists, &key(1), &page).await.unwrap();
        assert_eq!(names(&second), hashes[5..]);
        assert_eq!(again(holdings, &lists, &all[0].blob).await.unwrap(), None);
        assert!(
            again(holdings, &lists, &all[2].blob)
                .await
                .unwrap()
                .is_some()
        );
    }
}
