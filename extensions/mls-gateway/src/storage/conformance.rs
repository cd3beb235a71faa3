//! What every database has to do alike: one suite, run on each of them by [`suite`].
//!
//! A case gets two handles on one database, as two relays have them, and may write by one and read by the other. A backend
//! brings a [`Scratch`]: how to make such a database and how to be rid of it.

#![allow(clippy::unwrap_used)]

pub(in crate::storage) mod agreement;
pub(in crate::storage) mod archive;
pub(in crate::storage) mod groups;
pub(in crate::storage) mod letters;
mod model;
pub(in crate::storage) mod packages;
pub(in crate::storage) mod rosters;
pub(super) mod samples;
pub(in crate::storage) mod sweeping;

use super::Storage;
use async_trait::async_trait;
use std::sync::Arc;

/// A database of one test's own.
#[async_trait]
pub(in crate::storage) trait Scratch: Sized + Send + 'static {
    /// An empty one; `None` where the backend cannot be had, which it says aloud.
    async fn create() -> Option<Self>;

    /// Another handle on it, as another relay opens it: with connections and caches of its own.
    async fn open(&self) -> Arc<dyn Storage>;

    /// Removes it.
    async fn remove(self) {}
}

/// Two handles on one database.
#[derive(Clone)]
pub(in crate::storage) struct Handles {
    pub(in crate::storage) one: Arc<dyn Storage>,
    pub(in crate::storage) other: Arc<dyn Storage>,
}

/// Runs a case on a database of its own, which is removed whether the case holds or not.
pub(in crate::storage) async fn run<S: Scratch, F>(case: fn(Handles) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let Some(scratch) = S::create().await else {
        return;
    };
    let (one, other) = (scratch.open().await, scratch.open().await);
    let outcome = tokio::spawn(case(Handles { one, other })).await;
    scratch.remove().await;
    if let Err(failure) = outcome {
        std::panic::resume_unwind(failure.into_panic());
    }
}

/// All cases as tests of a module `$module`, each on a database that `$scratch` makes.
macro_rules! suite {
    ($module:ident, $scratch:ty) => {
        $crate::storage::conformance::suite! { $module, $scratch =>
            groups {
                a_group_is_known_from_its_first_message_on,
                epoch_and_time_of_a_group_only_rise,
                words_about_a_group_are_set_one_by_one,
                groups_are_listed_in_pages,
                groups_of_one_member_are_listed,
                imported_groups_are_as_they_were,
                an_import_leaves_the_roster_its_owner,
                hostile_group_ids_are_kept_apart,
                messages_are_noted_by_many_at_once,
            }
            rosters {
                a_roster_comes_back_as_it_was_written,
                a_roster_is_written_only_over_the_one_that_was_read,
                members_come_go_and_change,
                unknown_groups_have_no_roster,
                many_rosters_are_read_at_once,
                of_fifty_writers_each_revision_has_one,
                of_fifty_founders_one_founds,
                changes_are_told_to_the_other_relay,
                no_change_is_missed_while_many_write,
            }
            packages {
                a_package_is_taken_into_stock_once,
                a_reference_is_used_once_by_an_owner,
                expired_packages_are_not_live,
                the_oldest_are_reserved_and_never_the_last,
                fifty_readers_get_fifty_packages,
                surplus_packages_are_the_oldest,
                removed_packages_are_gone,
                m5_what_is_used_up_stays_so,
                m5_old_reservations_are_void,
                stock_is_counted_in_pages,
                packages_of_any_words_are_kept,
            }
            letters {
                a_letter_is_picked_up_again_until_it_is_acknowledged,
                a_letter_is_deposited_once,
                an_acknowledged_letter_is_remembered_without_its_content,
                an_expired_letter_is_not_picked_up,
                letters_come_oldest_first_and_for_their_recipient,
                the_boxes_are_apart,
                letters_are_listed_in_pages,
                the_load_of_a_box_is_counted,
                of_fifty_deposits_of_one_letter_one_counts,
            }
            archive {
                events_are_archived_once,
                positions_rise_from_batch_to_batch,
                the_archive_is_asked_by_group_or_recipient,
                an_event_that_fits_twice_comes_once,
                the_archive_is_read_in_pages,
                forgotten_events_are_gone_and_positions_go_on,
                authors_and_recipients_have_events_forgotten_and_nobody_else,
                no_event_is_missed_while_many_archive,
            }
            sweeping {
                what_has_expired_is_removed,
                a_sweep_takes_no_more_than_it_may,
                the_database_answers,
            }
        }
    };
    ($module:ident, $scratch:ty => $($subject:ident { $($case:ident,)* })*) => {
        mod $module {
            $(mod $subject {
                $(
                    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                    async fn $case() {
                        use $crate::storage::conformance as suite;
                        suite::run::<$scratch, _>(suite::$subject::$case).await;
                    }
                )*
            })*
        }
    };
}
pub(in crate::storage) use suite;
