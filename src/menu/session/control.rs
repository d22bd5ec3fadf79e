//! Executes and answers the requests of the control socket.

use super::{Flow, Session, Subject};
use crate::boot_log;
use crate::config::Persona;
use crate::config::document::nearest;
use crate::control::{Asked, Client, Move, Request, Server, reply};
use crate::error::{Error, Result};
use crate::menu::model::{Menu, Remote, RemoteRefusal};
use crate::menu::session::sources::Sources;
use crate::state::Choice;
use persona_paint::fill;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// The menu's end of the control socket, and what clients did over it.
#[derive(Default)]
pub(super) struct Control {
    /// None if the socket cannot be made: the menu works without it.
    server: Option<Server>,
    /// The client whose request is being executed.
    pub(super) asking: Option<String>,
    /// Who stopped the countdown, if nothing was chosen since.
    pub(super) held_by: Option<String>,
    /// Who chose over the socket, and which persona.
    pub(super) chosen_by: Option<(String, String)>,
    /// The choice of this boot, from the menu or the socket.
    pub(super) choice: Option<Choice>,
    /// Choices that are not answered yet.
    deferred: Vec<Deferred>,
    /// Later requests of the same clients: the requests of one client are answered in order.
    backlog: Vec<(Client, Result<Asked>)>,
}

/// A choice over the socket that is not answered yet.
struct Deferred {
    client: Client,
    name: String,
    who: String,
    until: Until,
}

/// What a pending answer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// The machine has been inspected again: the cause may be gone by now.
    Facts,
    /// The choice is recorded.
    Recorded,
}

/// Whether a request is answered at once.
enum Answer {
    Now,
    Later,
}

impl Control {
    /// What to poll: readable when a client has sent something.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.server.as_ref().map(AsFd::as_fd)
    }

    /// How long until it must be served without news from a client.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let due = self.server.as_ref().and_then(Server::deadline)?;
        Some(due.saturating_duration_since(Instant::now()))
    }
}

impl Session {
    /// Opens the control socket.
    pub(super) fn open_control(&mut self) {
        self.control.server = Server::open(&self.paths).inspect_err(|error| log::warn!("{error}")).ok();
    }

    /// Reads the choice, if another process may have made one.
    pub(super) fn hear_of_choice(&mut self) {
        self.control.choice = Choice::read(&self.paths).ok().flatten();
    }

    /// A choice ends a hold of the menu.
    pub(super) fn let_go(&mut self) {
        (self.control.held_by, self.control.chosen_by) = (None, None);
    }

    /// Executes and answers the new requests.
    pub(super) fn serve(&mut self, sources: &Sources) -> Flow {
        let mut flow = Flow::Continue;
        let mut requests = std::mem::take(&mut self.control.backlog);
        requests.extend(self.control.server.as_mut().map(Server::hear).unwrap_or_default());
        for (client, asked) in requests {
            if self.control.deferred.iter().any(|deferred| deferred.client == client) {
                self.control.backlog.push((client, asked));
                continue;
            }
            let outcome = asked.and_then(|asked| {
                let who = asked.who.unwrap_or_else(|| "root".to_owned());
                let done = match asked.request {
                    Request::State => Ok(()),
                    Request::Subscribe => {
                        let shown = self.shown();
                        self.control.server.as_mut().map_or(Ok(()), |server| server.subscribe(client, &shown))
                    }
                    Request::Choose(name) => return self.choose_for(client, name, who, sources),
                    Request::Hold => self.hold_for(&who, sources),
                    Request::Move(to) => self.move_for(&to, sources),
                    Request::Console => {
                        boot_log::LogEvent::Decision(format!("{who} requested the console")).info();
                        if self.menu().is_none() {
                            flow = Flow::Quit;
                        }
                        self.remote(Remote::Console, sources)
                    }
                };
                done.map(|()| Answer::Now)
            });
            match outcome {
                Ok(Answer::Now) => self.answer(client, Ok(())),
                Ok(Answer::Later) => {}
                Err(error) => self.answer(client, Err(error)),
            }
        }
        flow
    }

    fn answer(&mut self, client: Client, outcome: Result<()>) {
        let line = match outcome {
            Ok(()) => reply::done(&self.shown()),
            Err(error) => reply::refused(&error),
        };
        self.control.server.iter_mut().for_each(|server| server.answer(client, &line));
    }

    /// Tells subscribers if the menu shows something else now.
    pub(super) fn publish(&mut self) {
        if self.control.server.as_ref().is_some_and(Server::has_subscribers) {
            let shown = self.shown();
            self.control.server.iter_mut().for_each(|server| server.publish(&shown));
        }
    }

    /// Chooses; if something prevents the start, only after the machine was inspected again. One inspection serves all requests that wait.
    fn choose_for(&mut self, client: Client, name: String, who: String, sources: &Sources) -> Result<Answer> {
        let persona = self.persona(&name)?;
        if self.facts.refusal(persona).is_some() {
            self.gather_facts(sources);
            if self.gathers_facts {
                self.control.deferred.push(Deferred { client, name, who, until: Until::Facts });
                return Ok(Answer::Later);
            }
        }
        self.choose_now(client, name, who, sources)
    }

    fn choose_now(&mut self, client: Client, name: String, who: String, sources: &Sources) -> Result<Answer> {
        let persona = self.persona(&name)?;
        self.control.asking = Some(who.clone());
        let chosen = self.remote(Remote::Choose(persona), sources);
        self.control.asking = None;
        chosen?;
        let words = fill(self.words().chosen_by, "user", &who);
        self.set_status_line(&fill(&words, "persona", &self.title(Some(persona))));
        self.control.chosen_by = Some((name.clone(), who.clone()));
        self.control.deferred.push(Deferred { client, name, who, until: Until::Recorded });
        Ok(Answer::Later)
    }

    fn take_deferred(&mut self, until: Until) -> Vec<Deferred> {
        let (due, rest) = std::mem::take(&mut self.control.deferred).into_iter().partition(|deferred| deferred.until == until);
        self.control.deferred = rest;
        due
    }

    /// The machine has been inspected: the choices that waited for it are made now.
    pub(super) fn choose_deferred(&mut self, sources: &Sources) {
        for Deferred { client, name, who, .. } in self.take_deferred(Until::Facts) {
            if let Err(error) = self.choose_now(client, name, who, sources) {
                self.answer(client, Err(error));
            }
        }
    }

    /// The choice is recorded, or not: why.
    pub(super) fn answer_chosen(&mut self, failed: Option<&str>) {
        for Deferred { client, name, .. } in self.take_deferred(Until::Recorded) {
            let outcome = failed.map_or(Ok(()), |why| Err(Error::caused_by(format!("starting {name}"), why.to_owned())));
            self.answer(client, outcome);
        }
    }

    fn hold_for(&mut self, who: &str, sources: &Sources) -> Result<()> {
        self.remote(Remote::Hold, sources)?;
        boot_log::LogEvent::Decision(format!("the countdown is held by {who}: the menu waits for a choice")).info();
        self.set_status_line(&fill(self.words().held_by, "user", who));
        self.control.held_by = Some(who.to_owned());
        Ok(())
    }

    fn move_for(&mut self, to: &Move, sources: &Sources) -> Result<()> {
        let remote = match to {
            Move::To(name) => Remote::MoveTo(self.persona(name)?),
            Move::By(steps) => Remote::MoveBy(*steps),
        };
        self.remote(remote, sources)
    }

    /// Passes a request to the state machine, and returns why it was refused.
    fn remote(&mut self, remote: Remote, sources: &Sources) -> Result<()> {
        let now = self.now();
        let menu = match &mut self.subject {
            Subject::Personas { menu, .. } => menu,
            // When this menu ends, the console gets screen and keyboards.
            Subject::Broken { .. } if remote == Remote::Console => return Ok(()),
            Subject::Broken { why } => return Err(no_personas(why)),
        };
        match menu.remote(remote, now) {
            Ok(effects) => {
                self.perform(effects, sources);
                Ok(())
            }
            Err(refusal) => Err(self.refusal_error(refusal, remote)),
        }
    }

    fn refusal_error(&self, refusal: RemoteRefusal, remote: Remote) -> Error {
        let wanted = match remote {
            Remote::Choose(persona) => Some(persona),
            _ => None,
        };
        match refusal {
            RemoteRefusal::Refused => {
                let refusal = wanted.and_then(|persona| self.facts.refusal(persona)).cloned();
                let why = refusal.as_ref().map(|refusal| refusal.reason.clone()).unwrap_or_default();
                let error = Error::caused_by(format!("{} cannot start", self.title(wanted)), why);
                match refusal.and_then(|refusal| refusal.hint) {
                    Some(hint) => error.with_hint(hint),
                    None => error,
                }
            }
            RemoteRefusal::Busy(playing) => {
                let is_legion = |persona: Option<usize>| self.persona_at(persona).is_some_and(|persona| persona.legion().is_some());
                let name = self.persona_at(wanted).map_or("NAME", |persona| &persona.name);
                let hint = match (is_legion(playing), is_legion(wanted)) {
                    (true, true) => format!("`persona switch {name}` stops legion and starts it as that one"),
                    (true, false) => "`persona stop` stops legion; then choose again".to_owned(),
                    (false, _) => "wait until it runs; then choose again".to_owned(),
                };
                Error::new(format!("{} was chosen already", self.title(playing))).with_hint(hint)
            }
            RemoteRefusal::NoCountdown => Error::new(match self.menu().map(Menu::stage_word) {
                Some("waiting" | "awaiting-screen") => "there is no countdown: the menu already waits for a choice",
                _ => "the countdown has ended: a choice was made",
            }),
            RemoteRefusal::NoShelf => Error::new("nothing to move: the menu shows no personas now"),
            RemoteRefusal::PinIsEntered => Error::new("a PIN is being entered at the keyboard"),
        }
    }

    fn persona_at(&self, index: Option<usize>) -> Option<&Persona> {
        match &self.subject {
            Subject::Personas { settings, .. } => settings.personas.get(index?),
            Subject::Broken { .. } => None,
        }
    }

    /// The index of the persona of that name.
    fn persona(&self, name: &str) -> Result<usize> {
        let personas = match &self.subject {
            Subject::Personas { settings, .. } => &settings.personas,
            Subject::Broken { why } => return Err(no_personas(why)),
        };
        personas.iter().position(|persona| persona.name == name).ok_or_else(|| {
            let names = || personas.iter().map(|persona| persona.name.as_str());
            let name: String = name.chars().take(40).collect();
            let hint = match nearest(&name, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the personas are {}", names().collect::<Vec<_>>().join(", ")),
            };
            Error::new(format!("the menu has no persona `{name}`")).with_hint(hint)
        })
    }

    fn title(&self, persona: Option<usize>) -> String {
        self.persona_at(persona).map_or_else(|| "something else".to_owned(), |persona| persona.title.clone())
    }
}

fn no_personas(why: &str) -> Error {
    Error::caused_by("the menu has no personas to show", why.to_owned())
}
