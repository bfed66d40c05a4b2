//! What a kernel's lanes are for.

use std::any::TypeId;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::control::controller::Controller;
use crate::control::effect::EffectRequest;
use crate::control::{Watched, garbage};
use crate::kinds::Event;
use crate::object::{Metadata, Str};

pub(super) struct Lane {
    pub(super) name: Str,
    pub(super) duty: Duty,
}

/// What a lane's items are looked at for.
#[derive(Clone)]
pub(super) enum Duty {
    /// To reconcile them.
    Reconcile(Arc<Controller>),
    /// To have their handlers called: these, or all.
    Effects(Option<BTreeSet<Str>>),
    /// To see whether anybody still owns them.
    Garbage,
}

impl Duty {
    /// The kinds that must be in the cache.
    pub(super) fn kinds(&self) -> Vec<Watched> {
        match self {
            Self::Reconcile(controller) => controller.subscriptions(),
            Self::Effects(_) => vec![Watched::of::<EffectRequest>()],
            // Events go with what they are about.
            Self::Garbage => vec![Watched::of::<Event>()],
        }
    }

    /// Whether objects of a kind are looked at.
    pub(super) fn is_about(&self, watched: Watched) -> bool {
        match self {
            Self::Reconcile(controller) => controller.watched() == watched,
            Self::Effects(_) => Watched::of::<EffectRequest>() == watched,
            Self::Garbage => true,
        }
    }

    /// The kinds that it does not watch as it sees them.
    pub(super) fn narrowed(&self) -> &[TypeId] {
        match self {
            Self::Reconcile(controller) => controller.narrowed(),
            Self::Effects(_) | Self::Garbage => &[],
        }
    }

    /// How often it looks again for good measure.
    pub(super) fn resync(&self) -> Option<Duration> {
        match self {
            Self::Reconcile(controller) => controller.resync_period(),
            Self::Effects(_) | Self::Garbage => None,
        }
    }

    /// Whether an object is looked at that looks so from outside.
    pub(super) fn concerns(&self, metadata: &Metadata) -> bool {
        match self {
            Self::Reconcile(_) | Self::Effects(_) => true,
            Self::Garbage => garbage::concerns(metadata),
        }
    }
}
