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
    /// Records of workers never reach the ledger.
    ForgetRecord,
}

impl Mutation {
    /// Every mutation.
    pub const ALL: [Self; 12] = [
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
        Self::ForgetRecord,
    ];

    /// The invariants of which one is sure to be broken by it, sooner or later.
    pub fn breaks(self) -> &'static [Invariant] {
        match self {
            Self::DoubleSpawn => &[Invariant::OneRun],
            Self::StartStopped => &[Invariant::StoppedStaysStopped],
            Self::SwallowKill | Self::AnswerEarly => &[Invariant::StopsEnd],
            Self::SwallowAcknowledge | Self::AcknowledgeEarly | Self::TellTwice => {
                &[Invariant::AccountedOnce]
            }
            Self::SwallowSpawn => &[Invariant::Converges],
            Self::DoubleByte | Self::LoseByte => &[Invariant::LogIsExact],
            Self::NoBudget => &[Invariant::Budget],
            Self::ForgetRecord => &[Invariant::SurvivesDeath],
        }
    }
}
