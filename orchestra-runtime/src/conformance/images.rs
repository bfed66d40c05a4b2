//! Images: what is there, and how it comes there.

use super::program::Program;
use super::trial::{Trial, soon};
use crate::Error;

pub(super) async fn the_image_that_is_run_is_listed(trial: Trial) {
    let name = trial.request(&Program::Waits).image;
    let image = trial.image(&name).await.unwrap().expect("it is there");
    assert!(trial.images().await.unwrap().iter().any(|it| it.id == image.id));
}

pub(super) async fn an_unknown_image_is_not_there(trial: Trial) {
    assert_eq!(trial.image("no-such-image.example/none:1").await.unwrap(), None);
}

pub(super) async fn an_image_in_use_is_not_removed(trial: Trial) {
    let id = trial.started(&Program::Waits).await;
    let name = trial.status(&id).await.image;
    assert!(trial.remove_image(&name).await.is_err());
    assert!(trial.image(&name).await.unwrap().is_some());
}

pub(super) async fn what_nobody_has_cannot_be_pulled(trial: Trial) {
    let failed = match trial.pull("no-such-image.invalid/none:1", None).await {
        Ok(pull) => soon("it fails", pull.done()).await,
        Err(error) => Err(error),
    };
    assert!(matches!(failed, Err(Error::Pull { .. })), "{failed:?}");
}

pub(super) async fn a_pull_tells_how_far_it_is_and_ends(trial: Trial) {
    let Some(name) = trial.harness().remote_image() else { return };
    assert_eq!(trial.image(&name).await.unwrap(), None, "it is not there yet");
    let image = soon("it comes", trial.pull(&name, None).await.unwrap().done()).await.unwrap();
    assert_eq!(trial.image(&name).await.unwrap().map(|it| it.id), Some(image.id));
}
