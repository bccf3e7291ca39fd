//! Nobody is ever taken for somebody else, whatever goes on at the same time.
//!
//! Calls of a hundred users, and of nobody, go through a gateway and three services on the same
//! connections. The services wait, start tasks, work as other users in between, panic, and give up
//! calls half-way, all by chance; so do the clients. Each answer has in it what was known of the
//! caller at each step, at each service.
//!
//! How many calls there are is the environment's to say, `ISOLATION_CALLS`; `ISOLATION_SEED` repeats
//! what was left to chance in a run that failed, but for the order of things.

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

use crate::sample::behind_gateway;
use crate::support::answering::Answering;
use crate::support::probe::{Kind, call};
use crate::support::rules::optional;
use crate::support::server::TestServer;
use crate::support::shop::order_service_server::{OrderServiceServer, SERVICE_NAME};
use crate::support::token;

/// So many calls there are, if nobody says otherwise.
const CALLS: u64 = 3000;
/// So many of them at once.
const AT_ONCE: usize = 256;
const USERS: u64 = 100;
const CONNECTIONS: usize = 4;
/// Longer than any call takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// How one of the services reaches the next.
type Client = ClientService<Channel>;

/// Chance, as far as a seed determines it: the generator `SplitMix64`.
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    /// Those of one participant in one call.
    fn of(seed: u64, call: u64, participant: u64) -> Self {
        let mut dice = Self(seed ^ (call << 8) ^ participant);
        dice.roll(u64::MAX);
        dice
    }

    /// A number below this one.
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }

    fn one_of(&mut self, many: u64) -> bool {
        self.roll(many) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let index = usize::try_from(self.roll(from.len() as u64)).unwrap();
        from[index]
    }

    /// Waits up to three milliseconds, or gives others their turn.
    async fn pause(&mut self) {
        sleep(Duration::from_micros(self.roll(3000))).await;
    }
}

/// What happened in all calls together.
#[derive(Debug, Default)]
struct Happened {
    /// The calls in which something panicked.
    panicked: Mutex<HashSet<u64>>,
    /// How many calls a service gave up that it had made.
    given_up: AtomicU64,
    /// Where somebody was known who should not have been.
    leaks: Mutex<Vec<String>>,
}

impl Happened {
    fn leaked(&self, leak: String) {
        self.leaks.lock().unwrap().push(leak);
    }
}

/// Who is known here, as part of which call.
fn here() -> String {
    let context = CallContext::current();
    let user = UserContext::current();
    let user = user.as_ref().map_or("nobody", UserContext::id);
    format!("{user}:{}", context.request_id().map_or("none", AsRef::as_ref))
}

/// One of the services.
#[derive(Clone)]
struct Hop {
    seed: u64,
    number: u64,
    next: Option<Client>,
    happened: Arc<Happened>,
}

impl Hop {
    /// What the service does for a call. Its answer is what was known of the caller, again and again.
    async fn answer(self, context: CallContext) -> Result<String, Status> {
        let id = context.request_id().map_or("", AsRef::as_ref);
        let number = id.strip_prefix("call-").and_then(|number| number.parse().ok());
        let Some(number) = number else {
            self.happened.leaked(format!("{id:?} is none of the calls"));
            return Err(Status::internal("a strange call"));
        };
        let mut dice = Dice::of(self.seed, number, self.number);
        let user = context.user().map_or("nobody", UserContext::id);
        let mut known = vec![format!("{user}:{id}"), here()];
        dice.pause().await;
        known.push(here());
        self.distract(&mut dice);
        if dice.one_of(30) {
            self.happened.panicked.lock().unwrap().insert(number);
            // Without a word: it is meant.
            resume_unwind(Box::new("chance"));
        }
        if let Some(next) = &self.next {
            known.push(self.pass_on(next, &mut dice, number).await?);
        }
        dice.pause().await;
        known.push(here());
        Ok(known.join(" "))
    }

    /// Calls the next service, in one way or another.
    async fn pass_on(&self, next: &Client, dice: &mut Dice, number: u64) -> Result<String, Status> {
        let kind = dice.pick(&Kind::ALL);
        if dice.one_of(20) {
            let early = Duration::from_micros(dice.roll(3000));
            if timeout(early, call(kind, next.clone(), &[])).await.is_err() {
                self.happened.given_up.fetch_add(1, Ordering::Relaxed);
            }
        }
        let next = next.clone();
        let panics = dice.one_of(100);
        let panicked = self.happened.clone();
        let work = async move {
            if panics {
                panicked.panicked.lock().unwrap().insert(number);
                resume_unwind(Box::new("chance"));
            }
            call(kind, next, &[]).await.map(|answer| format!("{} {answer}", here()))
        };
        match dice.roll(4) {
            0 => work.await,
            1 => ended(tonic_passport::spawn(work).await)?,
            2 => {
                let mut set = JoinSet::new();
                set.spawn(CallContext::current().scope(work));
                ended(set.join_next().await.unwrap())?
            }
            _ => {
                let (answer, ()) = tokio::join!(work, self.as_another(dice));
                answer
            }
        }
    }

    /// Works on behalf of somebody else for a while, within the same task.
    async fn as_another(&self, dice: &mut Dice) {
        let other = UserContext::builder("other").build().unwrap();
        let work = async {
            for _ in 0..3 {
                let found = here();
                if !found.starts_with("other:") {
                    self.happened.leaked(format!("{found} in a scope of another"));
                }
                dice.pause().await;
            }
        };
        other.scope(work).await;
    }

    /// Starts something that is nobody's business.
    fn distract(&self, dice: &mut Dice) {
        let (happened, mut dice) = (Arc::clone(&self.happened), dice.clone());
        tokio::spawn(async move {
            for _ in 0..2 {
                let found = here();
                if found != "nobody:none" {
                    happened.leaked(format!("{found} in a task that inherited nothing"));
                }
                dice.pause().await;
            }
        });
    }
}

/// What a task answers, if it came to its end.
fn ended<T>(task: Result<T, tokio::task::JoinError>) -> Result<T, Status> {
    task.map_err(|error| Status::aborted(error.to_string()))
}

/// The gateway, and the three services behind it.
struct Servers {
    gateway: TestServer,
    _services: Vec<TestServer>,
}

impl Servers {
    async fn start(seed: u64, happened: &Arc<Happened>) -> Self {
        let mut services = Vec::new();
        let mut next = None;
        for number in 1..=3 {
            let hop = Hop { seed, number, next, happened: Arc::clone(happened) };
            let answering = Answering(move |context| hop.clone().answer(context));
            let layer = ServerLayer::new(ForwardedContext::trust_private_network())
                .policy(optional(Kind::paths()));
            let service = OrderServiceServer::new(answering);
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
enum End {
    Answered(String),
    Failed(Status),
    /// The client left before there was an answer.
    Left,
}

/// A call as its client sees it.
struct Call {
    number: u64,
    user: String,
    end: End,
}

/// Makes a call, and leaves early by chance.
async fn make(seed: u64, number: u64, token: Option<Arc<str>>, channel: Channel) -> End {
    let mut dice = Dice::of(seed, number, 0);
    let (kind, id) = (dice.pick(&Kind::ALL), format!("call-{number}"));
    let patience = dice.one_of(10).then(|| Duration::from_micros(dice.roll(8000)));
    let work = async move {
        let mut fields = vec![("x-request-id", &*id)];
        fields.extend(token.as_deref().map(|bearer| ("authorization", bearer)));
        call(kind, channel, &fields).await
    };
    let answer = match patience {
        None => timeout(PATIENCE, work).await.expect("a call that nobody gives up ends"),
        Some(patience) => match timeout(patience, work).await {
            Ok(answer) => answer,
            Err(_) => return End::Left,
        },
    };
    match answer {
        Ok(answer) => End::Answered(answer),
        Err(status) => End::Failed(status),
    }
}

fn number_from(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text:?}")))
}

/// How many calls ended how.
#[derive(Debug, Default)]
struct Count {
    answered: u64,
    failed: u64,
    left: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_call_is_ever_answered_with_another_callers_identity() {
    let seed = number_from("ISOLATION_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let calls = number_from("ISOLATION_CALLS").unwrap_or(CALLS);
    let repeat = format!("ISOLATION_CALLS={calls} ISOLATION_SEED={seed}");
    let happened = Arc::new(Happened::default());
    let servers = Servers::start(seed, &happened).await;
    let channels: Vec<_> = (0..CONNECTIONS).map(|_| channel_to(&servers.gateway)).collect();
    let tokens: Vec<Arc<str>> = (0..USERS)
        .map(|user| format!("Bearer {}", token::good(&format!("user-{user}"))).into())
        .collect();

    let mut count = Count::default();
    let mut examine = |Call { number, user, end }: Call| match end {
        End::Answered(answer) => {
            count.answered += 1;
            let expected = format!("{user}:call-{number}");
            let wrong = answer.split(' ').find(|known| *known != expected);
            assert_eq!(wrong, None, "call {number} of {user}: {answer}; {repeat}");
            // Of three services, four times at least.
            assert!(answer.split(' ').count() >= 12, "{answer}; {repeat}");
        }
        End::Failed(status) => {
            count.failed += 1;
            let panicked = happened.panicked.lock().unwrap().contains(&number);
            assert!(panicked, "call {number} of {user}: {status:?}; {repeat}");
            assert_ne!(status.code(), Code::Unauthenticated, "{status:?}; {repeat}");
        }
        End::Left => count.left += 1,
    };
    let mut running = JoinSet::new();
    for number in 0..calls {
        // One in five is nobody's.
        let user = (number % 5 != 0).then(|| (number - number / 5) % USERS);
        let token = user.map(|user| Arc::clone(&tokens[usize::try_from(user).unwrap()]));
        let user = user.map_or("nobody".to_owned(), |user| format!("user-{user}"));
        let channel = channels[usize::try_from(number).unwrap() % CONNECTIONS].clone();
        running.spawn(async move {
            let end = make(seed, number, token, channel).await;
            Call { number, user, end }
        });
        if running.len() >= AT_ONCE {
            examine(running.join_next().await.unwrap().unwrap());
        }
    }
    while let Some(call) = running.join_next().await {
        examine(call.unwrap());
    }

    let leaks = happened.leaks.lock().unwrap();
    assert!(leaks.is_empty(), "{leaks:?}; {repeat}");
    assert_eq!(count.answered + count.failed + count.left, calls, "{count:?}");
    let panicked = happened.panicked.lock().unwrap().len() as u64;
    let given_up = happened.given_up.load(Ordering::Relaxed);
    println!("{count:?}, {panicked} panicked, services gave up {given_up}; {repeat}");
    // Enough of everything has happened.
    assert!(count.answered >= calls / 2, "{count:?}; {repeat}");
    for (what, times) in [
        ("failed", count.failed),
        ("left", count.left),
        ("panicked", panicked),
        ("given up", given_up),
    ] {
        assert!(times >= calls / 100, "{what}: {times} of {calls}; {repeat}");
    }
}
