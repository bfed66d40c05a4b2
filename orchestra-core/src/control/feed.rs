//! [`Feed`]: what keeps a [`Cache`] current, without I/O: told what a store says, it says what to ask.

use std::mem;

use super::cache::scope_of_kinds;
use super::changes::Changes;
use super::reads::Need;
use super::table::AnyTable;
use super::{Cache, Watched};
use crate::object::Revision;
use crate::store::{Delivery, Listing, Page, Scope, StoreError, StoreId};

/// What a [`Feed`] is told.
#[derive(Clone, Debug)]
pub enum Told {
    /// It may begin.
    Start,
    /// Somebody looked for this and could not see it.
    Need(Vec<Need>),
    /// Nobody looks at these kinds any more. See [`Interests::looks_at`](super::Interests::looks_at).
    Unneeded(Vec<Watched>),
    /// The cache is to come at least so far, or as far as the store is now.
    Reach(Option<Revision>),
    /// The answer to [`Ask::Identity`]. It may be told at any other time, too.
    Identity(Result<StoreId, StoreError>),
    /// The answer to [`Ask::List`].
    Listed(Result<Listing, StoreError>),
    /// The answer to [`Ask::Watch`].
    Watching(Result<(), StoreError>),
    /// What the watch yields.
    Delivered(Delivery),
    /// The watch has ended.
    WatchFailed(StoreError),
    /// The time to [wait](Ask::Retry) is over.
    Retry,
}

/// What a [`Feed`] asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Which history the store holds.
    Identity,
    /// A page of a listing.
    List {
        /// What is listed.
        scope: Scope,
        /// Which page.
        page: Page,
    },
    /// A watch in place of the one there is, of which nothing is delivered any more.
    Watch {
        /// What is watched.
        scope: Scope,
        /// What is known already.
        after: Revision,
    },
    /// No watch any more.
    Unwatch,
    /// How far the watch has come.
    Progress,
    /// To be told [`Told::Retry`] after a while, the longer the more attempts have failed; or, if the
    /// error is one that nothing will mend, that somebody is told of it.
    Retry {
        /// How many attempts in a row have failed.
        attempt: u32,
        /// How the last one did.
        error: StoreError,
    },
}

/// What keeps a [`Cache`] current from a store: pure, it only says what to ask.
///
/// At most one question is open at a time, beside those for progress and for the identity while it
/// watches; it is answered before the next one is asked.
///
/// - A kind that is needed is listed at exactly the revision at which the cache stands, which stands
///   still meanwhile; then a watch over one kind more takes the place of the watch. So the cache always
///   shows one instant.
/// - Where the history is not held any more, everything is listed at the present, page by page, and only
///   what differs is kept until the last page is there. Then it takes effect at once.
/// - Where the history is another, as after a restore, values are compared and not only revisions.
#[derive(Debug)]
pub struct Feed {
    cache: Cache,
    is_started: bool,
    identity: Option<StoreId>,
    /// Kinds that are needed and not there.
    wanted: Vec<Watched>,
    must_identify: bool,
    /// There is no revision to go on from.
    must_list: bool,
    /// History is another than that of what is cached.
    is_other_history: bool,
    /// There is a watch, whether what it yields is taken in or not.
    has_watch: bool,
    /// How often in a row it has failed.
    attempt: u32,
    doing: Doing,
}

#[derive(Debug)]
enum Doing {
    Nothing,
    /// Before anything else is asked, or a listing goes on where it was.
    Identifying(Option<Filling>),
    Listing(Filling),
    Opening(Scope),
    Watching(Scope),
    /// For the time to try again; a listing goes on where it was.
    Waiting(Option<Filling>),
}

/// A listing, as it is taken in.
struct Filling {
    scope: Scope,
    page: Page,
    /// The kinds that were not there yet.
    coming: Vec<Box<dyn AnyTable>>,
    /// Whether what is there is compared as well.
    is_resync: bool,
    /// It is of a history that is no more: its answer is worth nothing.
    is_stale: bool,
}

/// What a [`Feed`] answers.
type Answer = (Vec<Changes>, Vec<Ask>);

impl Feed {
    /// How many entries are asked for at once: what is held of a listing beside what differs. As many as
    /// Kubernetes' clients ask for; larger pages are hardly faster.
    pub const PAGE: usize = 500;

    /// One that feeds a cache of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            cache: Cache::new(),
            is_started: false,
            identity: None,
            wanted: Vec::new(),
            must_identify: true,
            must_list: true,
            is_other_history: false,
            has_watch: false,
            attempt: 0,
            doing: Doing::Nothing,
        }
    }

    /// The cache.
    #[must_use]
    pub const fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Whether the cache has all that was needed and follows the store.
    #[must_use]
    pub fn is_current(&self) -> bool {
        matches!(self.doing, Doing::Watching(_)) && self.wanted.is_empty()
    }

    /// How many objects of a listing that is not complete are held beside those of the cache: what
    /// differs, however much is listed.
    #[must_use]
    pub fn held(&self) -> usize {
        let coming = self.doing.filling().map_or(&[][..], |filling| &filling.coming);
        self.cache.held() + coming.iter().map(|table| table.len()).sum::<usize>()
    }

    /// What has changed in the cache by what it is told, and what to ask now.
    pub fn told(&mut self, told: Told) -> (Vec<Changes>, Vec<Ask>) {
        match told {
            Told::Start => {
                self.is_started = true;
                self.go_on_if_idle()
            }
            Told::Need(needs) => self.need(&needs),
            Told::Unneeded(kinds) => self.unneeded(&kinds),
            Told::Reach(revision) => self.reach(revision),
            Told::Identity(answer) => self.identity(answer),
            Told::Listed(answer) => self.listed(answer),
            Told::Watching(answer) => self.watching(answer),
            Told::Delivered(delivery) => (self.delivered(&delivery).into_iter().collect(), Vec::new()),
            Told::WatchFailed(error) => {
                self.has_watch = false;
                match self.doing {
                    Doing::Watching(_) => self.failed(error, None),
                    // It was about to be replaced.
                    _ => Answer::default(),
                }
            }
            Told::Retry => match mem::replace(&mut self.doing, Doing::Nothing) {
                Doing::Waiting(filling) => {
                    self.doing = Doing::Identifying(filling);
                    (Vec::new(), vec![Ask::Identity])
                }
                doing => {
                    self.doing = doing;
                    Answer::default()
                }
            },
        }
    }

    fn need(&mut self, needs: &[Need]) -> Answer {
        for need in needs {
            let watched = need.watched();
            let is_coming = self.doing.filling().is_some_and(|filling| filling.has(watched));
            if !self.cache.build(need) && !is_coming && !self.wanted.contains(&watched) {
                self.wanted.push(watched);
            }
        }
        self.go_on_if_idle()
    }

    fn unneeded(&mut self, kinds: &[Watched]) -> Answer {
        self.wanted.retain(|watched| !kinds.contains(watched));
        if let Some(filling) = self.doing.filling_mut() {
            filling.coming.retain(|table| !kinds.contains(&table.watched()));
        }
        for watched in kinds {
            self.cache.unsubscribe(*watched);
        }
        self.go_on_if_idle()
    }

    fn reach(&self, revision: Option<Revision>) -> Answer {
        // If there is no watch yet, progress is asked for when there is one.
        let is_asked = matches!(self.doing, Doing::Watching(_))
            && revision.is_none_or(|revision| revision > self.cache.revision());
        (Vec::new(), if is_asked { vec![Ask::Progress] } else { Vec::new() })
    }

    fn identity(&mut self, answer: Result<StoreId, StoreError>) -> Answer {
        let identity = match (answer, mem::replace(&mut self.doing, Doing::Nothing)) {
            (Ok(identity), doing) => {
                self.doing = doing;
                identity
            }
            (Err(error), Doing::Identifying(filling)) => return self.failed(error, filling),
            (Err(_), doing) => {
                self.doing = doing;
                return Answer::default();
            }
        };
        if self.identity.replace(identity).is_some_and(|before| before != identity) {
            (self.is_other_history, self.must_list) = (true, true);
            if let Some(filling) = self.doing.filling_mut() {
                filling.is_stale = true;
            }
        }
        self.must_identify = false;
        match mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Identifying(Some(filling)) if !filling.is_stale => self.list(filling),
            Doing::Identifying(filling) => {
                filling.into_iter().for_each(|filling| self.abandon(filling));
                self.go_on()
            }
            doing => {
                self.doing = doing;
                self.go_on_if_idle()
            }
        }
    }

    fn listed(&mut self, answer: Result<Listing, StoreError>) -> Answer {
        let mut filling = match mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Listing(filling) => filling,
            doing => {
                self.doing = doing;
                return Answer::default();
            }
        };
        if filling.is_stale {
            self.abandon(filling);
            return self.go_on();
        }
        let listing = match answer {
            Ok(listing) => listing,
            Err(error) if error.must_resync() => {
                self.abandon(filling);
                return self.failed(error, None);
            }
            Err(error) => return self.failed(error, Some(filling)),
        };
        let by_value = self.is_other_history;
        for entry in &listing.entries {
            filling.take(entry, &mut self.cache);
            if filling.is_resync {
                self.cache.compare(entry, by_value);
            }
        }
        if let Some(next) = listing.next {
            filling.page = Page::after(next).limit(Self::PAGE);
            return self.list(filling);
        }
        let changes = if filling.is_resync {
            // A store never goes back, unless it is another one.
            let reset = self.is_other_history || listing.revision < self.cache.revision();
            (self.must_list, self.is_other_history) = (false, false);
            self.cache.settle(listing.revision, reset, filling.coming)
        } else {
            self.cache.adopt(filling.coming)
        };
        let (_, asks) = self.go_on();
        (vec![changes], asks)
    }

    fn watching(&mut self, answer: Result<(), StoreError>) -> Answer {
        self.has_watch = answer.is_ok();
        match (mem::replace(&mut self.doing, Doing::Nothing), answer) {
            (Doing::Opening(scope), Ok(())) => {
                self.doing = Doing::Watching(scope);
                let (changes, mut asks) = self.go_on();
                if asks.is_empty() {
                    // Whatever was listed and is watched is of one history, if that is the same still.
                    // Progress is a sign of life, and however far somebody wanted to come meanwhile.
                    asks.extend([Ask::Identity, Ask::Progress]);
                }
                (changes, asks)
            }
            (Doing::Opening(_), Err(error)) => self.failed(error, None),
            (doing, _) => {
                self.doing = doing;
                Answer::default()
            }
        }
    }

    fn delivered(&mut self, delivery: &Delivery) -> Option<Changes> {
        // While a kind is listed the cache stands still: the next watch delivers this again.
        if !matches!(self.doing, Doing::Watching(_)) {
            return None;
        }
        self.attempt = 0;
        let before = self.cache.revision();
        let changes = match delivery {
            Delivery::Batch(batch) => self.cache.apply(batch),
            Delivery::Progress(revision) => self.cache.advance(*revision),
        };
        (changes.revision > before).then_some(changes)
    }

    /// Something failed: at once again where that may help, and after a while otherwise.
    fn failed(&mut self, error: StoreError, filling: Option<Filling>) -> Answer {
        self.attempt = self.attempt.saturating_add(1);
        self.must_identify = true;
        self.must_list |= error.must_resync();
        // The same history that has not come so far yet is another one.
        self.is_other_history |= matches!(error, StoreError::Ahead { .. });
        if error.must_resync() && self.attempt == 1 {
            return self.go_on();
        }
        self.doing = Doing::Waiting(filling);
        (Vec::new(), vec![Ask::Retry { attempt: self.attempt, error }])
    }

    /// Does what is to be done next, unless an answer is awaited.
    fn go_on_if_idle(&mut self) -> Answer {
        match self.doing {
            Doing::Nothing | Doing::Watching(_) => self.go_on(),
            _ => Answer::default(),
        }
    }

    fn go_on(&mut self) -> Answer {
        let has_kinds = self.cache.kinds().len() > 0 || !self.wanted.is_empty();
        if !self.is_started || !has_kinds {
            self.doing = Doing::Nothing;
            // Whatever happens now goes unseen.
            self.must_list = true;
            let had_watch = mem::take(&mut self.has_watch);
            return (Vec::new(), if had_watch { vec![Ask::Unwatch] } else { Vec::new() });
        }
        if self.must_identify {
            self.doing = Doing::Identifying(None);
            return (Vec::new(), vec![Ask::Identity]);
        }
        if self.must_list || !self.wanted.is_empty() {
            let is_resync = self.must_list;
            let wanted = mem::take(&mut self.wanted);
            let here = self.cache.kinds().filter(|_| is_resync);
            let scope = scope_of_kinds(here.chain(wanted.iter().copied()));
            let page = if is_resync { Page::first() } else { Page::at(self.cache.revision()) };
            let coming = wanted.iter().map(Watched::table).collect();
            let page = page.limit(Self::PAGE);
            return self.list(Filling { scope, page, coming, is_resync, is_stale: false });
        }
        let scope = self.cache.scope();
        if matches!(&self.doing, Doing::Watching(watched) if *watched == scope) {
            return Answer::default();
        }
        self.doing = Doing::Opening(scope.clone());
        (Vec::new(), vec![Ask::Watch { scope, after: self.cache.revision() }])
    }

    fn list(&mut self, filling: Filling) -> Answer {
        let ask = Ask::List { scope: filling.scope.clone(), page: filling.page.clone() };
        self.doing = Doing::Listing(filling);
        (Vec::new(), vec![ask])
    }

    /// Forgets what was listed; the kinds that were to come are needed still.
    fn abandon(&mut self, filling: Filling) {
        self.cache.abandon();
        self.wanted.extend(filling.coming.iter().map(|table| table.watched()));
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self::new()
    }
}

impl Doing {
    /// The listing that is being taken in, if one is.
    fn filling(&self) -> Option<&Filling> {
        match self {
            Self::Listing(filling) => Some(filling),
            Self::Identifying(filling) | Self::Waiting(filling) => filling.as_ref(),
            Self::Nothing | Self::Opening(_) | Self::Watching(_) => None,
        }
    }

    fn filling_mut(&mut self) -> Option<&mut Filling> {
        match self {
            Self::Listing(filling) => Some(filling),
            Self::Identifying(filling) | Self::Waiting(filling) => filling.as_mut(),
            Self::Nothing | Self::Opening(_) | Self::Watching(_) => None,
        }
    }
}

impl Filling {
    fn has(&self, watched: Watched) -> bool {
        self.coming.iter().any(|table| table.watched() == watched)
    }

    fn take(&mut self, entry: &crate::store::Entry, cache: &mut Cache) {
        for table in &mut self.coming {
            if entry.key.starts_with(table.prefix().as_bytes()) {
                cache.fill(&mut **table, entry);
            }
        }
    }
}

impl std::fmt::Debug for Filling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} from {:?}", self.scope, self.page.from)
    }
}
