//! A Redis Cluster: three masters, and a replica of the first.

use futures_util::future::join_all;

use super::Server;
use crate::support::{eventually, limits::REDIS_CLUSTER, ports};

const MASTERS: usize = 3;
/// The place of the replica in the list, behind the masters.
const REPLICA: usize = MASTERS;
const SLOTS: usize = 16_384;

pub struct RedisCluster {
    nodes: Vec<Node>,
}

struct Node {
    server: Server,
    /// The port the nodes talk to each other on.
    bus: u16,
    /// How the nodes call it.
    id: String,
}

/// A node as another one sees it: a line of CLUSTER NODES.
struct Member {
    id: String,
    flags: String,
    master: String,
    connected: bool,
    /// First and last.
    slots: Vec<(u16, u16)>,
}

impl RedisCluster {
    /// Returns once all nodes agree that it is whole.
    pub async fn start() -> Self {
        let nodes = join_all((0..=REPLICA).map(|_| Node::start())).await;
        let cluster = Self { nodes };
        cluster.form().await;
        cluster
    }

    async fn form(&self) {
        for (n, node) in self.nodes.iter().enumerate() {
            // Distinct from the start: nodes with the same one would first
            // have to settle which of them is newer.
            node.server.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()]);
            if n < MASTERS {
                let first = (n * SLOTS / MASTERS).to_string();
                let last = ((n + 1) * SLOTS / MASTERS - 1).to_string();
                node.server.command(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
            }
        }
        let [first, others @ ..] = &self.nodes[..] else { unreachable!("it has nodes") };
        for node in others {
            let (port, bus) = (node.server.port().to_string(), node.bus.to_string());
            first.server.command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        }
        let all_met = |members: &[Member]| {
            members.len() == self.nodes.len() && members.iter().all(|it| it.connected)
        };
        self.until_all_see("the nodes have met", all_met).await;

        let replica = &self.nodes[REPLICA];
        replica.server.command(&["CLUSTER", "REPLICATE", &first.id]);
        let has_replica = |members: &[Member]| {
            members.iter().any(|it| it.id == replica.id && it.master == first.id)
        };
        self.until_all_see("the first master has its replica", has_replica).await;
        self.until_whole().await;
        eventually("the replica has copied its master", REDIS_CLUSTER, async || {
            let info = replica.server.command(&["INFO", "replication"]);
            info.contains("master_link_status:up").then_some(())
        })
        .await;
    }

    /// In fred's form, naming the nodes that began as masters.
    pub fn url(&self) -> String {
        let address = |n: usize| format!("127.0.0.1:{}", self.nodes[n].server.port());
        format!("redis-cluster://{}?node={}&node={}", address(0), address(1), address(2))
    }

    /// Those that were not killed: the masters, then the replica.
    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        self.nodes.iter().map(|node| &node.server).filter(|server| server.is_running())
    }

    /// Kills the first master, SIGKILL; its replica takes over by itself,
    /// which [`Self::await_failover`] waits for.
    pub fn kill_master_with_replica(&self) {
        self.nodes[0].server.kill();
    }

    /// Returns once every living node takes the replica for the owner of what
    /// the first master had, and says that the cluster works.
    pub async fn await_failover(&self) {
        let replica = &self.nodes[REPLICA].id;
        let promoted =
            |members: &[Member]| members.iter().any(|it| it.id == *replica && it.owns(0));
        self.until_all_see("the replica is promoted", promoted).await;
        self.until_whole().await;
    }

    /// The slot of a key or of a sharded channel; of both, what stands in
    /// braces alone counts.
    pub fn slot_of(&self, key: &str) -> u16 {
        let slot = self.any().command(&["CLUSTER", "KEYSLOT", key]);
        slot.parse().expect("a slot")
    }

    /// The master that has a key's slot.
    pub fn owner_of(&self, key: &str) -> &Server {
        &self.owner(self.slot_of(key)).server
    }

    /// Moves a key's slot, with the keys in it, to another master. Redis itself
    /// unsubscribes who listens on sharded channels in it. Returns once every
    /// node knows.
    pub async fn move_slot_of(&self, key: &str) {
        let number = self.slot_of(key);
        let slot = &number.to_string();
        let from = self.owner(number);
        let masters: Vec<_> = self.living().filter(|node| node.is_master()).collect();
        let to = *masters.iter().find(|node| node.id != from.id).expect("another master");
        to.server.command(&["CLUSTER", "SETSLOT", slot, "IMPORTING", &from.id]);
        from.server.command(&["CLUSTER", "SETSLOT", slot, "MIGRATING", &to.id]);
        loop {
            let keys = from.server.command(&["CLUSTER", "GETKEYSINSLOT", slot, "100"]);
            if keys.is_empty() {
                break;
            }
            let port = to.server.port().to_string();
            let mut migrate = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            migrate.extend(keys.lines());
            from.server.command(&migrate);
        }
        // The new owner first: nobody is sent to who does not know yet.
        let others = masters.iter().filter(|node| node.id != to.id);
        for node in [to].iter().chain(others) {
            node.server.command(&["CLUSTER", "SETSLOT", slot, "NODE", &to.id]);
        }
        let moved = |members: &[Member]| {
            members.iter().all(|member| member.owns(number) == (member.id == to.id))
        };
        self.until_all_see("the slot has moved", moved).await;
    }

    fn living(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.server.is_running())
    }

    fn any(&self) -> &Server {
        self.servers().next().expect("a living node")
    }

    fn owner(&self, slot: u16) -> &Node {
        let members = members(self.any());
        let owner = members.iter().find(|member| member.owns(slot)).expect("an owner");
        self.nodes.iter().find(|node| node.id == owner.id).expect("a node of ours")
    }

    async fn until_all_see(&self, what: &str, sees: impl Fn(&[Member]) -> bool) {
        let look = async || self.servers().all(|server| sees(&members(server))).then_some(());
        eventually(what, REDIS_CLUSTER, look).await;
    }

    async fn until_whole(&self) {
        let ok =
            |server: &Server| server.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok");
        let look = async || self.servers().all(ok).then_some(());
        eventually("the cluster works", REDIS_CLUSTER, look).await;
    }
}

impl Node {
    async fn start() -> Self {
        let bus = ports::hold();
        let bus_port = bus.to_string();
        let settings = [
            ["--cluster-enabled", "yes"],
            ["--cluster-port", &bus_port],
            ["--cluster-announce-ip", "127.0.0.1"],
            // Long enough for a busy machine, short enough to wait for.
            ["--cluster-node-timeout", "1500"],
            ["--cluster-require-full-coverage", "no"],
            // However old its data, the replica takes over.
            ["--cluster-replica-validity-factor", "0"],
            ["--repl-diskless-sync-delay", "0"],
        ];
        let settings = settings.as_flattened().iter().map(|word| (*word).to_owned());
        let server = Server::with(settings.collect()).await;
        let id = server.command(&["CLUSTER", "MYID"]);
        Self { server, bus, id }
    }

    fn is_master(&self) -> bool {
        self.server.command(&["ROLE"]).starts_with("master")
    }
}

impl Member {
    fn owns(&self, slot: u16) -> bool {
        self.flags.contains("master")
            && self.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot))
    }
}

fn members(server: &Server) -> Vec<Member> {
    let nodes = server.command(&["CLUSTER", "NODES"]);
    nodes.lines().map(|line| member(line).unwrap_or_else(|| panic!("{line}"))).collect()
}

/// `id address flags master ping pong epoch link slot…`
fn member(line: &str) -> Option<Member> {
    let mut words = line.split(' ');
    let (id, _address, flags, master) =
        (words.next()?, words.next()?, words.next()?, words.next()?);
    let connected = words.nth(3)? == "connected" && !flags.contains("handshake");
    // `[slot->-id]` is one on the move, which also stands there as itself.
    let slots = words.filter(|word| !word.starts_with('['));
    let slots = slots.map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some((first.parse().ok()?, last.parse().ok()?))
    });
    let slots = slots.collect::<Option<_>>()?;
    let [id, flags, master] = [id, flags, master].map(str::to_owned);
    Some(Member { id, flags, master, connected, slots })
}
