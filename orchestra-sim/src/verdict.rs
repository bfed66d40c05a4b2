//! [`Verdict`]: what a check may answer.

/// What a check may answer: whether all is well, or why it is not.
#[diagnostic::on_unimplemented(
    message = "a check returns a `bool` or a `Result<(), String>`, not a `{Self}`",
    label = "this check returns a `{Self}`"
)]
pub trait Verdict {
    /// Why it is not well, if it is not.
    ///
    /// # Errors
    /// That reason.
    fn verdict(self) -> Result<(), String>;
}

impl Verdict for bool {
    fn verdict(self) -> Result<(), String> {
        if self { Ok(()) } else { Err(String::new()) }
    }
}

impl Verdict for Result<(), String> {
    fn verdict(self) -> Self {
        self
    }
}

impl Verdict for Result<(), &str> {
    fn verdict(self) -> Result<(), String> {
        self.map_err(str::to_owned)
    }
}
