//! Commits, as etcd's transactions.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use etcd_client::{
    AlarmAction, AlarmType, Compare, CompareOp, DeleteOptions, GetOptions, TxnOp, TxnOpResponse, TxnResponse,
};

use super::errors::{FULL, Fault};
use super::keys::is_reserved;
use super::members::Connection;
use super::{Inner, revision};
use crate::store::{CommitError, Expect, Guard, Limits, Revision, StoreError, StoreId, Txn, Write};

/// How much of a transaction etcd takes as it comes (1.5 MiB), with some room for what frames it.
const ROOM: usize = (1536 - 16) << 10;

/// What an operation takes beside its key and value, at most.
const OPERATION: usize = 32;

impl Inner {
    pub(super) async fn commit(&self, txn: &Txn) -> Result<Revision, CommitError> {
        txn.check(&Limits::DEFAULT)?;
        let keys = txn.guards().iter().map(|guard| &guard.key).chain(txn.writes().iter().map(Write::key));
        if let Some(key) = keys.into_iter().find(|key| is_reserved(key)) {
            return Err(CommitError::Invalid { reason: format!("{key} is a key of the store's own") });
        }
        self.refuse_if_full(txn).await?;
        let made = match (txn.guards(), txn.writes()) {
            ([], []) => self.revision_if_held(0).await.map_err(|fault| match fault {
                // Nothing was to be done: it was read, or not.
                Fault::Lost(reason) => Fault::NotDone(reason),
                fault => fault,
            }),
            ([], [Write::Put(key, value)]) => {
                let place = self.layout.place(key);
                let put = |connection: Arc<Connection>| {
                    let (mut kv, place, value) = (connection.kv.clone(), place.clone(), value.to_vec());
                    async move { kv.put(place, value, None).await }
                };
                let answer = self.members.ask_once(put).await;
                answer.and_then(|answer| answered_at(answer.header().map(|header| header.revision())))
            }
            _ => return self.transact(txn).await,
        };
        made.map_err(|fault| self.failed(fault))
    }

    /// Sends a transaction, and finds out which guard did not hold.
    async fn transact(&self, txn: &Txn) -> Result<Revision, CommitError> {
        // Together with the guards' keys once more, what is within the limits may be more than etcd takes.
        let tells = self.size(txn) <= ROOM;
        let request = self.request(txn, tells);
        let send = |connection: Arc<Connection>| {
            let (mut kv, request) = (connection.kv.clone(), request.clone());
            async move { kv.txn(request).await }
        };
        let answer = self.members.ask_once(send).await.map_err(|fault| self.failed(fault))?;
        if answer.succeeded() {
            let at = answered_at(answer.header().map(|header| header.revision()));
            return at.map_err(Fault::into_commit_error);
        }
        let found = if tells { answer } else { self.look(txn.guards()).await? };
        Err(conflict(txn.guards(), &found))
    }

    /// How large the request is when it asks for what stands under the guards' keys.
    fn size(&self, txn: &Txn) -> usize {
        let place = self.layout.place(&[]).len() + OPERATION;
        let guards: usize = txn.guards().iter().map(|guard| guard.key.len()).sum();
        txn.bytes() + guards + place * (2 * txn.guards().len() + txn.writes().len())
    }

    fn request(&self, txn: &Txn, tells: bool) -> etcd_client::Txn {
        let compares: Vec<_> = txn.guards().iter().map(|guard| self.compare(guard)).collect();
        let writes: Vec<_> = txn.writes().iter().map(|write| self.write(write)).collect();
        let looks = if tells { self.looks(txn.guards()) } else { Vec::new() };
        etcd_client::Txn::new().when(compares).and_then(writes).or_else(looks)
    }

    fn compare(&self, guard: &Guard) -> Compare {
        let number = match guard.expect {
            // To etcd, what is not there was modified at zero.
            Expect::Absent => 0,
            Expect::At(Revision(0)) => NEVER,
            Expect::At(revision) => i64::try_from(revision.0).unwrap_or(NEVER),
        };
        Compare::mod_revision(self.layout.place(&guard.key), CompareOp::Equal, number)
    }

    fn write(&self, write: &Write) -> TxnOp {
        match write {
            Write::Put(key, value) => TxnOp::put(self.layout.place(key), value.to_vec(), None),
            Write::Delete(key) => TxnOp::delete(self.layout.place(key), Some(DeleteOptions::new())),
        }
    }

    /// Looks at what stands under the guards' keys. With them, a transaction that writes nothing is a
    /// linearizable read; without any operation, etcd would answer it from the past.
    fn looks(&self, guards: &[Guard]) -> Vec<TxnOp> {
        let look = |guard: &Guard| {
            TxnOp::get(self.layout.place(&guard.key), Some(GetOptions::new().with_keys_only()))
        };
        guards.iter().map(look).collect()
    }

    /// What stands under the guards' keys now.
    async fn look(&self, guards: &[Guard]) -> Result<TxnResponse, CommitError> {
        let request = etcd_client::Txn::new().and_then(self.looks(guards));
        let send = |connection: Arc<Connection>| {
            let (mut kv, request) = (connection.kv.clone(), request.clone());
            async move { kv.txn(request).await }
        };
        let found = self.members.ask(send).await;
        // Nothing was written, that is known.
        found.map_err(|fault| CommitError::Failed(fault.into_store_error("finding the conflict")))
    }

    /// What a fault means; and remembers a database that is full.
    fn failed(&self, fault: Fault) -> CommitError {
        if fault == Fault::Full {
            self.full.store(true, Ordering::Relaxed);
        }
        fault.into_commit_error()
    }

    /// Refuses what puts while the database is full, as etcd does; but so that it is known that it had no
    /// effect. etcd's error alone does not tell.
    async fn refuse_if_full(&self, txn: &Txn) -> Result<(), StoreError> {
        let puts = txn.writes().iter().any(|write| write.value().is_some());
        if !puts || !self.full.load(Ordering::Relaxed) {
            return Ok(());
        }
        let request = |connection: Arc<Connection>| {
            let mut client = connection.client.clone();
            async move { client.alarm(AlarmAction::Get, AlarmType::Nospace, None).await }
        };
        match self.members.ask(request).await {
            Ok(answer) if !answer.alarms().is_empty() => Err(StoreError::ReadOnly { reason: FULL.into() }),
            Ok(_) => {
                self.full.store(false, Ordering::Relaxed);
                Ok(())
            }
            // Then etcd may say it itself.
            Err(_) => Ok(()),
        }
    }

    /// Which history it is: a number that is stored once, and the cluster's.
    pub(super) async fn identity(&self) -> Result<StoreId, StoreError> {
        const DOING: &str = "asking who the store is";
        let (place, fresh) = (self.layout.identity(), StoreId::random());
        let looked = self.range(&(place.clone(), Vec::new()), GetOptions::new()).await;
        let looked = looked.map_err(|fault| fault.into_store_error(DOING))?;
        let cluster = looked.header().map_or(0, |header| header.cluster_id());
        if let Some(found) = looked.kvs().first() {
            return identity(found.value(), cluster);
        }
        // Whoever is first says it; to ask again is no harm.
        let absent = Compare::create_revision(place.clone(), CompareOp::Equal, 0);
        let request = etcd_client::Txn::new()
            .when([absent])
            .and_then([TxnOp::put(place.clone(), fresh.0.to_be_bytes(), None)])
            .or_else([TxnOp::get(place, None)]);
        let send = |connection: Arc<Connection>| {
            let (mut kv, request) = (connection.kv.clone(), request.clone());
            async move { kv.txn(request).await }
        };
        let answer = self.members.ask(send).await.map_err(|fault| fault.into_store_error(DOING))?;
        match &*answer.op_responses() {
            [TxnOpResponse::Get(found)] if !found.kvs().is_empty() => {
                identity(found.kvs()[0].value(), cluster)
            }
            _ => identity(&fresh.0.to_be_bytes(), cluster),
        }
    }
}

/// No key was ever modified then.
const NEVER: i64 = -1;

/// The number that is stored, and the cluster's.
fn identity(stored: &[u8], cluster: u64) -> Result<StoreId, StoreError> {
    let stored: [u8; 16] = stored.try_into().map_err(|_| StoreError::Corrupt {
        place: "the identity of the store".into(),
        reason: format!("it has {} bytes", stored.len()),
    })?;
    Ok(StoreId(u128::from_be_bytes(stored) ^ u128::from(cluster)))
}

fn answered_at(number: Option<i64>) -> Result<Revision, Fault> {
    number.map(revision).ok_or_else(|| Fault::Lost("an answer without header".into()))
}

/// The first guard that does not hold, by what was found under the guards' keys.
fn conflict(guards: &[Guard], found: &TxnResponse) -> CommitError {
    for (guard, answer) in guards.iter().zip(found.op_responses()) {
        let TxnOpResponse::Get(answer) = answer else { continue };
        let found = answer.kvs().first().map(|found| revision(found.mod_revision()));
        if !guard.expect.holds(found) {
            return CommitError::Conflict { key: guard.key.clone(), expected: guard.expect, found };
        }
    }
    // It held again when it was looked at.
    CommitError::Failed(StoreError::Unavailable {
        doing: "committing".into(),
        reason: "a guard did not hold, and does now".into(),
    })
}
