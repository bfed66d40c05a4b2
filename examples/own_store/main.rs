//! A store of your own, in under a hundred lines: `store.rs` beside this file.
//!
//! ```console
//! $ cargo run --example own_store        # a write, and what a watch tells of it
//! $ cargo test --test own_store          # the conformance suite on this very store
//! ```

use orchestra::store::{Scope, Store, Txn};

mod store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = store::OwnStore::default();
    let before = store.commit(Txn::new()).await?;
    store.commit(Txn::new().put_new("greetings/en", "hello")).await?;
    println!("{:?}", store.watch(&Scope::prefix("greetings/"), before).await?.next().await?);
    Ok(())
}
