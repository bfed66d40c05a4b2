//! [`Sabotage`]: a scheduler that is broken on purpose, which a simulation must find out.

/// What is broken on purpose.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// The ledgers are written, and not guarded.
    LedgerUnguarded,
    /// Nodes are not guarded.
    NodeUnguarded,
    /// Pods are not guarded.
    PodUnguarded,
    /// What others did to a node meanwhile is not heeded.
    NodeUnheeded,
    /// What was decided keeps its room when it comes to nothing.
    AssumedForEver,
    /// Who fits nowhere is never asked again.
    NeverWoken,
    /// What can be bound of a gang is bound, though some of it cannot.
    HalfAGang,
    /// Others have to go for a gang though that is not enough.
    RoomForHalfAGang,
}
