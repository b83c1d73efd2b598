//! The keeper: the small single-threaded process that is the parent of every run.
//!
//! It spawns, reaps and holds, for an overseer that decides. This is the one home of `unsafe` and of process system
//! calls: everything that knows the kernel is in `sys`, and a port to another system replaces that.

mod adopted;
mod alarm;
mod attached;
mod backoff;
mod capabilities;
mod cgroup;
mod codec;
mod detached;
mod exchange;
mod guard;
mod handover;
mod keeper;
mod link;
mod manager;
mod orphans;
mod overseer;
mod partner;
mod patience;
mod processes;
mod protocol;
mod runs;
mod survivors;
mod sys;
mod take_over;
mod trees;
mod upgrade;

pub use adopted::{await_end, hold, lives, watch};
pub use attached::{Ended, SpawnError, run_attached};
pub use capabilities::{Capabilities, capabilities};
pub use cgroup::RunCgroups;
pub use detached::{Detached, Happened, detach};
pub use handover::{HandedRun, Handover, attempt, is_handed_over};
pub use keeper::{keep, keep_on, keep_patiently};
pub use link::{DESCRIPTOR_VARIABLE, Link};
pub use manager::SOCKET_VARIABLE;
pub use orphans::end_orphans;
pub use overseer::OverseerCommand;
pub use partner::Partner;
pub use patience::Patience;
pub use protocol::{
    BODY_MAX, DESCRIPTORS_MAX, Event, Exit, INLINE_MAX, Ids, KEPT_MAX, Launch, Limit, NAMES_MAX, Process,
    Request, Resource, RunId, RunReport, Scope, Step, Usage, VERSION,
};
pub use survivors::{Survivor, cgroups_of, stragglers, survivors};
pub use sys::descriptors::{make_room_for_descriptors, raise_descriptor_limit};
pub use sys::memory::LastingMemory;
pub use sys::program::{end_with_parent, forget_beginning, take_own_name};
pub use sys::signals::{Signals, ignore_terminal_signals};
pub use sys::sockets::outstanding;
pub use sys::users::{LookupError, lookup_group, lookup_user};

pub use upgrade::{ACCEPTS, Bereaved, Upgrade, Upgraded};

/// The variable that marks every process of a run.
pub const TAG_VARIABLE: &str = "GANGER_RUN";
