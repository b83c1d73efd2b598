//! When to draw, and when to look at figures. A screen that nobody uses and on which nothing happens has no timer.

use std::time::Duration;

use tokio::time::Instant;

/// Between two pictures that nobody waits for: fast enough to look alive, slow enough for a line over ssh.
const FRAME: Duration = Duration::from_millis(33);
/// Figures are looked at so often while somebody is there.
const LOOK: Duration = Duration::from_secs(2);
/// For so long after a key or an event.
const AWAKE: Duration = Duration::from_secs(20);

/// When to do what.
#[derive(Debug)]
pub(super) struct Pace {
    /// There is something to draw.
    pub(super) is_dirty: bool,
    /// Not before this.
    pub(super) frame: Instant,
    /// Somebody was there lately.
    pub(super) is_awake: bool,
    /// The next look, while that is so.
    pub(super) look: Instant,
    until: Instant,
}

impl Pace {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { is_dirty: true, frame: now, is_awake: true, look: now + LOOK, until: now + AWAKE }
    }

    /// Whether to draw now rather than later.
    pub(super) fn may_draw(&self) -> bool {
        self.is_dirty && Instant::now() >= self.frame
    }

    pub(super) fn drawn(&mut self) {
        self.is_dirty = false;
        self.frame = Instant::now() + FRAME;
    }

    /// Somebody is there; whether that is new.
    pub(super) fn awake(&mut self) -> bool {
        let now = Instant::now();
        self.until = now + AWAKE;
        let is_new = !self.is_awake;
        if is_new {
            self.is_awake = true;
            self.look = now + LOOK;
        }
        is_new
    }

    /// It is time for a look; false once nobody was there for a while.
    pub(super) fn tick(&mut self) -> bool {
        let now = Instant::now();
        self.is_awake = now < self.until;
        self.look = now + LOOK;
        self.is_awake
    }

    /// There is nothing to look at any more.
    pub(super) fn rest(&mut self) {
        self.until = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn figures_are_looked_at_for_a_while_after_somebody_was_there() {
        let mut pace = Pace::new();
        let mut looks = 0;
        loop {
            tokio::time::advance(pace.look - Instant::now()).await;
            if !pace.tick() {
                break;
            }
            looks += 1;
        }
        assert_eq!(looks, AWAKE.as_secs() / LOOK.as_secs() - 1);
        assert!(!pace.is_awake);
        assert!(pace.awake() && !pace.awake(), "told once");
        assert!(pace.is_awake && pace.look > Instant::now());
        pace.rest();
        assert!(!pace.tick());
    }

    #[tokio::test(start_paused = true)]
    async fn pictures_have_a_pace() {
        let mut pace = Pace::new();
        assert!(pace.may_draw());
        pace.drawn();
        pace.is_dirty = true;
        assert!(!pace.may_draw());
        tokio::time::advance(FRAME).await;
        assert!(pace.may_draw());
    }
}
