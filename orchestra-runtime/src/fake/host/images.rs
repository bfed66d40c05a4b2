//! Images of the fake host: what is here, and what can be pulled.

use std::time::Duration;

use orchestra_core::object::Str;

use super::super::script::Script;
use super::Host;
use crate::{Error, Image, Result};

/// An image, or one that can be pulled.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) image: Image,
    pub(super) script: Script,
    pub(super) is_here: bool,
    pub(super) pull: Pulls,
}

/// How an image comes.
#[derive(Clone, Debug, Default)]
pub(in crate::fake) struct Pulls {
    pub(in crate::fake) takes: Duration,
    /// How often it fails yet, and why.
    pub(in crate::fake) fails: Option<(u32, Str)>,
    /// Who may have it.
    pub(in crate::fake) password: Option<Str>,
}

impl Host {
    /// An image that is there, and what its program does.
    pub fn add_image(&mut self, name: impl Into<Str>, script: Script) {
        self.store(name.into(), script, true, Pulls::default());
    }

    pub(in crate::fake) fn store(&mut self, name: Str, script: Script, is_here: bool, pull: Pulls) {
        let image = Image::new(format!("fake:{name}"), vec![name.clone()], 1 << 20);
        self.images.insert(name, Stored { image, script, is_here, pull });
    }

    /// The image of a name, if it is here.
    #[must_use]
    pub fn image(&self, name: &str) -> Option<&Image> {
        self.images.get(name).filter(|it| it.is_here).map(|it| &it.image)
    }

    /// All images that are here.
    pub fn images(&self) -> impl Iterator<Item = &Image> {
        self.images.values().filter(|it| it.is_here).map(|it| &it.image)
    }

    /// How long a pull takes, if it comes to anything; it is [here](Self::pulled) afterwards.
    ///
    /// # Errors
    /// Nobody has such an image, or it fails as it was scripted to.
    pub fn begin_pull(&mut self, name: &str, password: Option<&str>) -> Result<Duration> {
        let failed = |reason: Str, is_transient| Error::Pull { image: name.into(), reason, is_transient };
        let Some(stored) = self.images.get_mut(name) else {
            return Err(failed("there is no such image".into(), false));
        };
        if stored.pull.password.as_deref().is_some_and(|expected| password != Some(expected)) {
            return Err(failed("who asks may not have it".into(), false));
        }
        match &mut stored.pull.fails {
            Some((0, _)) | None => Ok(stored.pull.takes),
            Some((left, why)) => {
                *left -= 1;
                Err(failed(why.clone(), true))
            }
        }
    }

    /// An image has come.
    ///
    /// # Errors
    /// Nobody has such an image.
    pub fn pulled(&mut self, name: &str) -> Result<Image> {
        let stored = self.images.get_mut(name).ok_or(Error::NotFound { what: "image", name: name.into() })?;
        stored.is_here = true;
        Ok(stored.image.clone())
    }

    /// Removes an image that no container uses.
    ///
    /// # Errors
    /// A container uses it.
    pub fn remove_image(&mut self, name: &str) -> Result<()> {
        if let Some(user) = self.containers.values().find(|it| it.request.image == name) {
            let state = format!("is used by container {}", user.request.name).into();
            return Err(Error::WrongState { what: "remove image", name: name.into(), state });
        }
        if let Some(stored) = self.images.get_mut(name) {
            stored.is_here = false;
        }
        Ok(())
    }
}
