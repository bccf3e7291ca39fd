//! Load that would mix up the identities of concurrent callers, if anything did.
//!
//! Calls of a hundred users, and anonymous ones, go through a gateway and three services on shared
//! connections. The services wait, spawn tasks, work as other users in between, panic, and cancel
//! their own calls, all at random; so do the clients. Each response lists the identity that was
//! known at each step, at each service.
//!
//! The environment variable `ISOLATION_SEED` repeats the random choices of a run that failed. The
//! order in which tasks run still differs.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_passport::client::ClientService;
use tonic_passport::{
    CallContext, ClientLayer, ForwardedContext, Gateway, JwtAuthenticator, ServerLayer, UserContext,
};

use super::probe::{Kind, call};
use super::response_service::ResponseService;
use super::rules::optional;
use super::server::TestServer;
use super::shop::order_service_server::{OrderServiceServer, SERVICE_NAME};
use super::token;
use crate::sample::behind_gateway;

/// The number of calls in flight at the same time.
const MAX_CONCURRENT: usize = 256;
const USERS: u64 = 100;
const CONNECTIONS: usize = 4;
/// Time limit for any call that its client does not cancel.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// The client of the next service.
type Client = ClientService<Channel>;

/// Pseudo-random choices from a seed, by `SplitMix64`.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    /// The choices of one participant in one call.
    fn for_participant(seed: u64, call: u64, participant: u64) -> Self {
        let mut random = Self(seed ^ (call << 8) ^ participant);
        random.below(u64::MAX);
        random
    }

    /// A number below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// True once in `many` times, on average.
    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let index = usize::try_from(self.below(from.len() as u64)).unwrap();
        from[index]
    }

    /// Waits up to three milliseconds.
    async fn pause(&mut self) {
        sleep(Duration::from_micros(self.below(3000))).await;
    }
}

/// Events of all calls.
#[derive(Debug, Default)]
struct Events {
    /// The calls in which something panicked.
    panicked: Mutex<HashSet<u64>>,
    /// How many of its own calls a service cancelled.
    cancelled: AtomicU64,
    /// Places at which another identity than the caller's was visible.
    leaks: Mutex<Vec<String>>,
}

impl Events {
    fn leaked(&self, leak: String) {
        self.leaks.lock().unwrap().push(leak);
    }
}

/// The user and the request id that are current here.
fn current() -> String {
    let context = CallContext::current();
    let user = UserContext::current();
    let user = user.as_ref().map_or("anonymous", UserContext::id);
    format!("{user}:{}", context.request_id().map_or("none", AsRef::as_ref))
}

/// One of the services.
#[derive(Clone)]
struct Hop {
    seed: u64,
    number: u64,
    next: Option<Client>,
    events: Arc<Events>,
}

impl Hop {
    /// Handles a call. The response lists the identity that was visible at each step.
    async fn handle(self, context: CallContext) -> Result<String, Status> {
        let id = context.request_id().map_or("", AsRef::as_ref);
        let number = id.strip_prefix("call-").and_then(|number| number.parse().ok());
        let Some(number) = number else {
            self.events.leaked(format!("request id {id:?} was never sent"));
            return Err(Status::internal("unknown request id"));
        };
        let mut random = Random::for_participant(self.seed, number, self.number);
        let user = context.user().map_or("anonymous", UserContext::id);
        let mut seen = vec![format!("{user}:{id}"), current()];
        random.pause().await;
        seen.push(current());
        self.spawn_unrelated(&mut random);
        if random.one_in(30) {
            self.events.panicked.lock().unwrap().insert(number);
            // Unwinds without the panic hook, which would print a backtrace.
            resume_unwind(Box::new("intended"));
        }
        if let Some(next) = &self.next {
            seen.push(self.call_next(next, &mut random, number).await?);
        }
        random.pause().await;
        seen.push(current());
        Ok(seen.join(" "))
    }

    /// Calls the next service: directly, in a task, in a `JoinSet`, or beside other work.
    async fn call_next(
        &self,
        next: &Client,
        random: &mut Random,
        number: u64,
    ) -> Result<String, Status> {
        let kind = random.pick(&Kind::ALL);
        if random.one_in(20) {
            let early = Duration::from_micros(random.below(3000));
            if timeout(early, call(kind, next.clone(), &[])).await.is_err() {
                self.events.cancelled.fetch_add(1, Ordering::Relaxed);
            }
        }
        let next = next.clone();
        let panics = random.one_in(100);
        let panicked = self.events.clone();
        let work = async move {
            if panics {
                panicked.panicked.lock().unwrap().insert(number);
                resume_unwind(Box::new("intended"));
            }
            call(kind, next, &[]).await.map(|response| format!("{} {response}", current()))
        };
        match random.below(4) {
            0 => work.await,
            1 => joined(tonic_passport::spawn(work).await)?,
            2 => {
                let mut set = JoinSet::new();
                set.spawn(CallContext::current().scope(work));
                joined(set.join_next().await.unwrap())?
            }
            _ => {
                let (response, ()) = tokio::join!(work, self.as_another(random));
                response
            }
        }
    }

    /// Works in the scope of another user for a while, within the same task.
    async fn as_another(&self, random: &mut Random) {
        let other = UserContext::builder("other").build().unwrap();
        let work = async {
            for _ in 0..3 {
                let found = current();
                if !found.starts_with("other:") {
                    self.events.leaked(format!("{found} in the scope of another user"));
                }
                random.pause().await;
            }
        };
        other.scope(work).await;
    }

    /// Spawns a task that does not inherit the context.
    fn spawn_unrelated(&self, random: &mut Random) {
        let (events, mut random) = (Arc::clone(&self.events), random.clone());
        tokio::spawn(async move {
            for _ in 0..2 {
                let found = current();
                if found != "anonymous:none" {
                    events.leaked(format!("{found} in a task that inherited nothing"));
                }
                random.pause().await;
            }
        });
    }
}

/// Output of a task, or the status `ABORTED` if it panicked.
fn joined<T>(task: Result<T, tokio::task::JoinError>) -> Result<T, Status> {
    task.map_err(|error| Status::aborted(error.to_string()))
}

/// The gateway, and the three services behind it.
struct Servers {
    gateway: TestServer,
    _services: Vec<TestServer>,
}

impl Servers {
    async fn start(seed: u64, events: &Arc<Events>) -> Self {
        let mut services = Vec::new();
        let mut next = None;
        for number in 1..=3 {
            let hop = Hop { seed, number, next, events: Arc::clone(events) };
            let service = ResponseService(move |context| hop.clone().handle(context));
            let layer = ServerLayer::new(ForwardedContext::trust_private_network())
                .policy(optional(Kind::paths()));
            let service = OrderServiceServer::new(service);
            let server = TestServer::start(|incoming| {
                let mut server = behind_gateway::server().layer(layer);
                server.add_service(service).serve_with_incoming(incoming)
            })
            .await;
            next = Some(ClientLayer::new().allow_anonymous().wrap(channel_to(&server)));
            services.push(server);
        }

        let upstream = channel_to(services.last().unwrap());
        let gateway = Gateway::builder().route(SERVICE_NAME, upstream).build().unwrap();
        let layer = ServerLayer::new(JwtAuthenticator::new(token::verifier()));
        let layer = layer.policy(optional(Kind::paths()));
        let gateway = TestServer::start(|incoming| {
            let mut server = behind_gateway::server().layer(layer);
            server.add_routes(gateway.into_routes()).serve_with_incoming(incoming)
        })
        .await;
        Self { gateway, _services: services }
    }
}

fn channel_to(server: &TestServer) -> Channel {
    behind_gateway::channel(&format!("http://{}", server.addr)).unwrap()
}

/// How a call ended.
enum CallOutcome {
    Succeeded(String),
    Failed(Status),
    /// The client cancelled the call.
    Cancelled,
}

/// A call as its client sees it.
struct Call {
    number: u64,
    user: String,
    outcome: CallOutcome,
}

/// Makes a call, and cancels it at random.
async fn make_call(
    seed: u64,
    number: u64,
    token: Option<Arc<str>>,
    channel: Channel,
) -> CallOutcome {
    let mut random = Random::for_participant(seed, number, 0);
    let (kind, id) = (random.pick(&Kind::ALL), format!("call-{number}"));
    let cancel_after = random.one_in(10).then(|| Duration::from_micros(random.below(8000)));
    let work = async move {
        let mut fields = vec![("x-request-id", &*id)];
        fields.extend(token.as_deref().map(|bearer| ("authorization", bearer)));
        call(kind, channel, &fields).await
    };
    let result = match cancel_after {
        None => timeout(CALL_TIMEOUT, work).await.expect("the call does not end"),
        Some(limit) => match timeout(limit, work).await {
            Ok(result) => result,
            Err(_) => return CallOutcome::Cancelled,
        },
    };
    match result {
        Ok(response) => CallOutcome::Succeeded(response),
        Err(status) => CallOutcome::Failed(status),
    }
}

/// The seed in the environment, or a random one.
fn seed() -> u64 {
    match std::env::var("ISOLATION_SEED") {
        Ok(text) => text.parse().expect("ISOLATION_SEED is not a number"),
        Err(_) => RandomState::new().hash_one(0),
    }
}

/// How many calls ended how.
#[derive(Debug, Default)]
struct Count {
    succeeded: u64,
    failed: u64,
    cancelled: u64,
}

/// Makes so many calls, and asserts that none of them ever saw another caller's identity.
pub async fn assert_isolated(calls: u64) {
    let seed = seed();
    let repeat = format!("of {calls} calls with ISOLATION_SEED={seed}");
    let events = Arc::new(Events::default());
    let servers = Servers::start(seed, &events).await;
    let channels: Vec<_> = (0..CONNECTIONS).map(|_| channel_to(&servers.gateway)).collect();
    let tokens: Vec<Arc<str>> = (0..USERS)
        .map(|user| format!("Bearer {}", token::good(&format!("user-{user}"))).into())
        .collect();

    let mut count = Count::default();
    let mut examine = |Call { number, user, outcome }: Call| match outcome {
        CallOutcome::Succeeded(response) => {
            count.succeeded += 1;
            let expected = format!("{user}:call-{number}");
            let wrong = response.split(' ').find(|seen| *seen != expected);
            assert_eq!(wrong, None, "call {number} of {user}: {response}; {repeat}");
            // Each of the three services adds at least four.
            assert!(response.split(' ').count() >= 12, "{response}; {repeat}");
        }
        CallOutcome::Failed(status) => {
            count.failed += 1;
            let panicked = events.panicked.lock().unwrap().contains(&number);
            assert!(panicked, "call {number} of {user}: {status:?}; {repeat}");
            assert_ne!(status.code(), Code::Unauthenticated, "{status:?}; {repeat}");
        }
        CallOutcome::Cancelled => count.cancelled += 1,
    };
    let mut running = JoinSet::new();
    for number in 0..calls {
        // One in five is anonymous.
        let user = (number % 5 != 0).then(|| (number - number / 5) % USERS);
        let token = user.map(|user| Arc::clone(&tokens[usize::try_from(user).unwrap()]));
        let user = user.map_or("anonymous".to_owned(), |user| format!("user-{user}"));
        let channel = channels[usize::try_from(number).unwrap() % CONNECTIONS].clone();
        running.spawn(async move {
            let outcome = make_call(seed, number, token, channel).await;
            Call { number, user, outcome }
        });
        if running.len() >= MAX_CONCURRENT {
            examine(running.join_next().await.unwrap().unwrap());
        }
    }
    while let Some(call) = running.join_next().await {
        examine(call.unwrap());
    }

    let leaks = events.leaks.lock().unwrap();
    assert!(leaks.is_empty(), "{leaks:?}; {repeat}");
    assert_eq!(count.succeeded + count.failed + count.cancelled, calls, "{count:?}");
    let panicked = events.panicked.lock().unwrap().len() as u64;
    let by_services = events.cancelled.load(Ordering::Relaxed);
    println!("{count:?}, {panicked} panicked, {by_services} cancelled by services; {repeat}");
    // Enough calls took each of the intended paths.
    assert!(count.succeeded >= calls / 2, "{count:?}; {repeat}");
    for (what, times) in [
        ("failed", count.failed),
        ("cancelled by clients", count.cancelled),
        ("panicked", panicked),
        ("cancelled by services", by_services),
    ] {
        assert!(times >= calls / 100, "{what}: {times} of {calls}; {repeat}");
    }
}
