//! Those whom an event is about to reach; a `deliver` hook can take some away and add nobody.

use super::viewer::Viewer;

/// The viewers of one event, on one worker. What earlier hooks hid is out of sight already.
///
/// ```
/// use trellis_relay::extension::{Audience, Viewer};
/// let viewer = Viewer::new(1, [192, 0, 2, 1].into());
/// let mut show = [true];
/// Audience::new(&[&viewer], &mut show).retain(|viewer| viewer.is_authenticated());
/// assert_eq!(show, [false]);
/// ```
#[derive(Debug)]
pub struct Audience<'a> {
    viewers: &'a [&'a Viewer],
    show: &'a mut [bool],
}

impl<'a> Audience<'a> {
    /// `show[i]` says whether `viewers[i]` may see the event so far.
    pub fn new(viewers: &'a [&'a Viewer], show: &'a mut [bool]) -> Self {
        Audience { viewers, show }
    }

    /// Hides the event from every viewer that the test is false for.
    pub fn retain(&mut self, mut may_see: impl FnMut(&Viewer) -> bool) {
        for (viewer, show) in self.viewers.iter().zip(self.show.iter_mut()) {
            *show = *show && may_see(viewer);
        }
    }

    /// As [`Audience::retain`], with a test that may fail; the first failure ends it.
    pub fn try_retain<E>(
        &mut self,
        mut may_see: impl FnMut(&Viewer) -> Result<bool, E>,
    ) -> Result<(), E> {
        for (viewer, show) in self.viewers.iter().zip(self.show.iter_mut()) {
            *show = *show && may_see(viewer)?;
        }
        Ok(())
    }

    /// Hides the event from everyone.
    pub fn hide_from_all(&mut self) {
        self.show.fill(false);
    }
}
