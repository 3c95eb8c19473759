//! The connection of a virtual caller, and the one after it when it closes.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until, timeout},
};

use super::{
    connection::{CallError, Connection, Target},
    payload::Rpc,
    stream::Stream,
};

/// The least time between two tries to connect.
const PAUSE: Duration = Duration::from_millis(100);

/// A way to send requests of one [`super::payload::Payload`]; clones share the connection, and the
/// one that is opened when it closes.
#[derive(Clone)]
pub(super) struct Caller {
    handle: Handle,
    /// How many connections there were before this one.
    generation: usize,
    line: Rc<Line>,
}

#[derive(Clone)]
enum Handle {
    /// A call a request.
    Unary(Box<Connection>),
    /// A message a request, on one long call.
    Stream(Stream),
}

/// A connection that is there again and again.
struct Line {
    target: Target,
    rpc: Rpc,
    /// How long a connection may take to open.
    timeout: Duration,
    current: RefCell<(usize, Handle)>,
    /// When the last try to connect began.
    tried: Cell<Instant>,
    opening: Mutex<()>,
}

impl Caller {
    /// Connects.
    pub(super) async fn open(target: Target, rpc: Rpc, timeout: Duration) -> io::Result<Self> {
        let tried = Cell::new(Instant::now());
        let handle = Handle::open(&target, rpc, timeout).await?;
        let line = Line {
            target,
            rpc,
            timeout,
            current: RefCell::new((0, handle.clone())),
            tried,
            opening: Mutex::new(()),
        };
        Ok(Self {
            handle,
            generation: 0,
            line: line.into(),
        })
    }

    /// Sends a request of the payload, and gives the message of its answer. A request that its
    /// connection no longer takes goes on another one.
    pub(super) async fn call(&mut self, request: Bytes) -> Result<Bytes, CallError> {
        loop {
            match self.handle.call(request.clone()).await {
                Err(CallError::Closed(reason)) => self.reopen(&reason).await?,
                result => return result,
            }
        }
    }

    /// Takes the line's next connection, which the first caller to ask for it opens.
    async fn reopen(&mut self, reason: &str) -> Result<(), CallError> {
        let line = &self.line;
        let _opening = line.opening.lock().await;
        let deadline = Instant::now() + line.timeout;
        while line.current.borrow().0 == self.generation {
            sleep_until(line.tried.get() + PAUSE).await;
            line.tried.set(Instant::now());
            match Handle::open(&line.target, line.rpc, line.timeout).await {
                Ok(handle) => *line.current.borrow_mut() = (self.generation + 1, handle),
                Err(error) if Instant::now() >= deadline => {
                    let message = format!("{reason}; no other could be opened: {error}");
                    return Err(CallError::Unreachable(message));
                }
                Err(_) => {}
            }
        }
        (self.generation, self.handle) = line.current.borrow().clone();
        Ok(())
    }
}

impl Handle {
    async fn open(target: &Target, rpc: Rpc, limit: Duration) -> io::Result<Self> {
        let opening = async {
            Ok(match rpc {
                Rpc::ClassifyStream => Self::Stream(Stream::open(target).await?),
                _ => Self::Unary(Connection::open(target).await?.into()),
            })
        };
        timeout(limit, opening).await?
    }

    async fn call(&mut self, request: Bytes) -> Result<Bytes, CallError> {
        match self {
            Self::Unary(connection) => connection.call(request).await,
            Self::Stream(stream) => stream.call(request).await,
        }
    }
}
