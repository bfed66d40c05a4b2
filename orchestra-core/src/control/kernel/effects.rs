//! How a handler is called: the intent is written down, it is called, and what it answers is written down.

use std::collections::BTreeSet;

use serde_json::Value;

use super::jobs::{Begun, Work};
use super::look::Look;
use super::{Call, EFFECTS, Kernel, Output};
use crate::control::Now;
use crate::control::changes::CachedObject;
use crate::control::effect::{EffectError, EffectRequest, EffectSpec};
use crate::control::perform::{Done, End};
use crate::control::plan::Plan;
use crate::control::queue::Ended;
use crate::control::report::Trouble;
use crate::object::Str;

/// Whether an effect's handler is to be called.
pub(super) fn effect(object: &dyn CachedObject, handlers: Option<&BTreeSet<Str>>) -> Look {
    let is_ours = |request: &EffectRequest| handlers.is_none_or(|ours| ours.contains(&request.spec.handler));
    match object.as_any().downcast_ref::<EffectRequest>().filter(|request| is_ours(request)) {
        Some(request) if request.status.is_open(request.metadata.generation) => {
            Look::Call(Box::new(request.clone()))
        }
        _ => Look::Rest(None),
    }
}

impl Kernel {
    /// That a handler is called was written down, or not.
    pub(super) fn call(
        &mut self,
        item: u32,
        mut request: Box<EffectRequest>,
        done: &Done,
        now: Now,
        outputs: &mut Vec<Output>,
    ) {
        let written = done.made.last().and_then(|(_, stands)| *stands);
        let how = match (&done.end, written) {
            (End::Whole, Some(revision)) if self.leads => {
                request.status = request.status.called();
                request.metadata.resource_version = revision;
                let id = self.next_id();
                let EffectSpec { handler, key, input, .. } = request.spec.clone();
                self.begin(id, Work::Call { item, request });
                outputs.push(Output::Call(Call { id, handler, key, input }));
                return;
            }
            (End::Failed(error), _) => {
                let trouble = match error.is_retryable() {
                    true => Trouble::Unavailable(error.to_string()),
                    false => Trouble::NotMade(error.to_string()),
                };
                self.trouble(item, trouble, now, outputs);
                Ended::Badly
            }
            _ => Ended::Overtaken,
        };
        self.queue.ended(item, how, now.elapsed);
    }

    /// A handler has answered.
    pub(super) fn answered(
        &mut self,
        call: u64,
        answer: Result<Value, EffectError>,
        now: Now,
    ) -> Vec<Output> {
        let mut outputs = Vec::new();
        let Some(Begun { work: Work::Call { item, request }, .. }) = self.jobs.remove(&call) else {
            return outputs;
        };
        if !self.leads {
            // Whoever leads calls again, with the same key: only a leader writes anything down.
            self.queue.ended(item, Ended::Overtaken, now.elapsed);
            return outputs;
        }
        let is_good = answer.is_ok();
        let status = request.status.answered(request.metadata.generation, &answer);
        if !is_good {
            self.trouble(item, Trouble::EffectFailed(status.message.to_string()), now, &mut outputs);
        }
        // What was answered is written down whatever became of the object for which it was asked.
        let steps = Plan::new().status(&request, status).into_steps();
        outputs.push(self.perform(EFFECTS.into(), Vec::new(), steps, Work::Answer { item, is_good }));
        outputs
    }
}
