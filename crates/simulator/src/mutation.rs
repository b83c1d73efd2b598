//! Things broken on purpose between decider and world, to see that the invariants notice.

use crate::invariants::Invariant;

/// Something broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Each spawn is carried out twice.
    DoubleSpawn,
    /// A stopped worker is spawned.
    StartStopped,
    /// KILL never arrives.
    SwallowKill,
    /// A stop is answered on receipt.
    AnswerEarly,
    /// Acknowledgements never arrive.
    SwallowAcknowledge,
    /// A run is acknowledged when its main process ends, before its tree is empty.
    AcknowledgeEarly,
    /// Each end is told twice.
    TellTwice,
    /// Some spawns are forgotten.
    SwallowSpawn,
    /// Capture writes a byte twice after a death.
    DoubleByte,
    /// Capture loses what it was moving when it dies.
    LoseByte,
    /// The decider is told of no budget.
    NoBudget,
    /// The decider is told of no priorities.
    NoOrder,
    /// The decider is told of no dependencies.
    NoDependencies,
    /// Records of workers never reach the ledger.
    ForgetRecord,
    /// A new overseer ends a run that it finds.
    EndWhatIsFound,
    /// A new keeper does not find every run that lives.
    AdoptTooFew,
    /// A new keeper takes a stranger, who has got the PID of a run that is over, for that run.
    AdoptStranger,
    /// What was asked for is gone when the machine is started again.
    RebootForgets,
}

impl Mutation {
    /// Every mutation.
    pub const ALL: [Self; 18] = [
        Self::DoubleSpawn,
        Self::StartStopped,
        Self::SwallowKill,
        Self::AnswerEarly,
        Self::SwallowAcknowledge,
        Self::AcknowledgeEarly,
        Self::TellTwice,
        Self::SwallowSpawn,
        Self::DoubleByte,
        Self::LoseByte,
        Self::NoBudget,
        Self::NoOrder,
        Self::NoDependencies,
        Self::ForgetRecord,
        Self::EndWhatIsFound,
        Self::AdoptTooFew,
        Self::AdoptStranger,
        Self::RebootForgets,
    ];

    /// The invariants of which one is sure to be broken by it, sooner or later.
    pub fn breaks(self) -> &'static [Invariant] {
        match self {
            Self::DoubleSpawn | Self::AdoptTooFew => &[Invariant::OneRun],
            Self::StartStopped => &[Invariant::StoppedStaysStopped],
            Self::SwallowKill | Self::AnswerEarly => &[Invariant::StopsEnd],
            Self::SwallowAcknowledge | Self::AcknowledgeEarly | Self::TellTwice | Self::ForgetRecord => {
                &[Invariant::AccountedOnce]
            }
            Self::SwallowSpawn | Self::AdoptStranger | Self::RebootForgets => &[Invariant::Converges],
            Self::DoubleByte | Self::LoseByte => &[Invariant::LogIsExact],
            Self::NoBudget => &[Invariant::Budget],
            Self::NoOrder => &[Invariant::StopsInOrder],
            Self::NoDependencies => &[Invariant::WaitsFirst],
            Self::EndWhatIsFound => &[Invariant::SurvivesDeath],
        }
    }
}
