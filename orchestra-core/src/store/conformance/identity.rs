//! A history has one name.

use super::trial::Trial;
use crate::store::{StoreId, Txn};

async fn identity(t: &Trial) -> StoreId {
    t.hand().store().identity().await.unwrap_or_else(|error| panic!("it has no identity: {error}"))
}

pub(super) async fn a_store_has_an_identity(t: Trial) {
    assert_ne!(identity(&t).await, StoreId(0), "zero is none");
}

pub(super) async fn the_identity_stays(t: Trial) {
    let first = identity(&t).await;
    for value in 0..10 {
        t.put("a", value.to_string()).await;
        t.conflict(Txn::new().put_new("a", "no")).await;
        assert_eq!(identity(&t).await, first);
    }
    t.delete("a").await;
    assert_eq!(identity(&t).await, first);
}

pub(super) async fn everybody_is_told_the_same_identity(t: Trial) {
    let first = identity(&t).await;
    let told = super::trial::together((0..8).map(|_| {
        let hand = t.hand();
        async move { hand.store().identity().await.unwrap() }
    }));
    assert_eq!(told.await, [first; 8]);
}
