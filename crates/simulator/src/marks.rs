//! What a simulation must have seen to be worth something: each fault, each state, each turn of the rules.

use ganger_core::State;

macro_rules! marks {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// Something that was seen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mark {
            $($(#[doc = $doc])* $name,)*
            /// A worker was in this state.
            In(State),
        }

        impl Mark {
            /// Every mark.
            pub fn all() -> impl Iterator<Item = Self> {
                [$(Self::$name),*].into_iter().chain(State::ALL.map(Self::In))
            }
        }
    };
}

marks! {
    /// A spawn failed for a passing reason.
    SpawnFailedForNow,
    /// A spawn failed for good.
    SpawnFailed,
    /// A process ended as soon as it was there.
    InstantExit,
    /// A process ignored its stop signal.
    IgnoredStop,
    /// A process did not die of KILL for a while.
    StuckInKernel,
    /// Processes outlived the main one.
    Leftovers,
    /// The overseer died while it carried out actions.
    DiedBetweenActions,
    /// The overseer died while it waited.
    DiedIdle,
    /// The overseer died while an operator's command was carried out.
    DiedInCommand,
    /// The connection to the keeper broke.
    Disconnected,
    /// A request to the keeper was lost.
    RequestLost,
    /// Word of the keeper was lost.
    NoticeLost,
    /// The keeper died while the overseer waited.
    KeeperDied,
    /// The keeper died while the overseer carried out actions.
    KeeperDiedBetweenActions,
    /// Keeper and overseer died at once.
    BothDied,
    /// Nothing of ganger's lived, until somebody started it again.
    StartedLater,
    /// A run went on under a keeper that is not its parent.
    Adopted,
    /// A run ended and nobody saw how.
    EndedUnseen,
    /// A run that was adopted ended, and the kernel said how.
    AdoptedEndSeen,
    /// A run that nobody had heard of was adopted.
    AdoptedUnheardOf,
    /// A run was adopted in the middle of its stop.
    AdoptedInStop,
    /// The overseer hung and went on.
    Hung,
    /// The overseer hung and was replaced.
    HungReplaced,
    /// Keeper and overseer were replaced in place.
    Upgraded,
    /// The new one could not start, and the old one went on.
    UpgradeFailed,
    /// The machine was started again.
    Rebooted,
    /// A line of the ledger was torn.
    LedgerTorn,
    /// The ledger could not be read from some line on.
    LedgerCut,
    /// Nothing of the ledger could be read.
    LedgerLost,
    /// The clock leapt ahead.
    ClockLeapt,
    /// A tick came that was not asked for.
    NeedlessTick,
    /// The ledger was compacted.
    Compacted,
    /// The log was rotated.
    Rotated,
    /// The overseer died in the middle of a rotation.
    DiedInRotation,
    /// A tree was killed after its stop timeout.
    Killing,
    /// A tree was reported as stuck.
    Stuck,
    /// A main process alone was asked to end.
    StopOfMain,
    /// In a shutdown somebody waited for those with a higher priority.
    WaitedForWave,
    /// A worker waited for what its group depends on.
    Waited,
    /// A worker waited in vain.
    WaitedInVain,
    /// A worker became ready by its probe.
    BecameReady,
    /// A worker was not ready any more.
    NoLongerReady,
    /// A run was ended since it failed its liveness probe.
    NotAlive,
    /// A run was ended since it took too much.
    TookTooMuch,
    /// A worker that was given up ended the app.
    EndedByFatal,
    /// So many starts failed that no other was tried.
    AttemptsSpent,
    /// Workers were started by a command.
    CommandStart,
    /// Workers were stopped by a command.
    CommandStop,
    /// Workers were restarted by a command.
    CommandRestart,
    /// Workers were restarted since their files changed.
    CommandRefresh,
    /// A group was scaled.
    CommandScale,
    /// A signal was sent by a command.
    CommandSignal,
    /// The app was asked to end.
    CommandShutdown,
    /// The app was asked to end at once.
    CommandShutdownNow,
    /// A command was answered with success.
    ReplyDone,
    /// A command found nothing to do.
    ReplyUnchanged,
    /// A command failed.
    ReplyFailed,
    /// A command was superseded.
    ReplySuperseded,
    /// A command was refused.
    ReplyRefused,
    /// A reload restarted workers.
    ReloadCommand,
    /// A reload changed a policy.
    ReloadPolicy,
    /// A reload removed a group.
    ReloadRemoved,
    /// A reload changed a count.
    ReloadCount,
    /// The end of a worker ended the app.
    EndedByWorker,
    /// The app ended since every worker had.
    EndedIdle,
    /// The app finished.
    Finished,
    /// Everything was as asked after the faults.
    Converged,
}
