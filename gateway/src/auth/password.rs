//! Passwords: Argon2id, and the bounds on what it may cost. Hashing runs on
//! blocking threads, each with one of a few 19 MiB blocks of memory that are
//! used again; who comes when too many wait already is told to come back.

use std::{sync::Arc, time::Duration};

use argon2::{
    Algorithm, Argon2, Block, Params, PasswordHash, Version,
    password_hash::phc::{Output, ParamsString, Salt},
};
use aws_lc_rs::{constant_time, rand};
use deadpool::managed::{self, Metrics, Object, Pool, RecycleResult};
use tokio::sync::Semaphore;

use super::PasswordSettings;
use crate::problem::{Code, Problem};

/// 19 MiB, 2 passes, 1 lane.
const PARAMS: Params = Params::DEFAULT;
const OUTPUT_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
/// A stored hash may ask for more than we do, but not for anything.
const MAX_M_COST: u32 = 64 * 1024;
const MAX_T_COST: u32 = 16;
const BUSY: Duration = Duration::from_secs(2);

/// Hashes and verifies; cheap to clone, one for the process.
#[derive(Clone)]
pub struct Passwords {
    memory: Pool<Memory>,
    /// Those at work and those that wait.
    places: Arc<Semaphore>,
    /// Of no password: what an absent user's attempt is compared with.
    dummy: Arc<str>,
}

/// Makes the blocks of the pool: empty, they are filled at first use, on the
/// blocking thread.
struct Memory;

impl managed::Manager for Memory {
    type Type = Vec<Block>;
    type Error = std::convert::Infallible;

    async fn create(&self) -> Result<Vec<Block>, Self::Error> {
        Ok(Vec::new())
    }

    async fn recycle(&self, _: &mut Vec<Block>, _: &Metrics) -> RecycleResult<Self::Error> {
        Ok(())
    }
}

/// Hashing itself failed: never the caller's fault.
#[derive(Debug, thiserror::Error)]
#[error("password hashing failed: {0}")]
struct Failed(String);

impl Passwords {
    pub fn new(settings: PasswordSettings) -> Result<Self, Problem> {
        let workers = settings.workers.max(1);
        let memory = Pool::builder(Memory).max_size(workers).build();
        let mut nothing = [0; OUTPUT_BYTES];
        let mut salt = [0; SALT_BYTES];
        fill(&mut nothing).and_then(|()| fill(&mut salt)).map_err(internal)?;
        Ok(Self {
            memory: memory.map_err(|e| internal(Failed(e.to_string())))?,
            places: Arc::new(Semaphore::new(workers + settings.queue)),
            dummy: phc(&salt, &nothing).map_err(internal)?.into(),
        })
    }

    /// A PHC string, with a salt of its own.
    pub async fn hash(&self, password: &str) -> Result<String, Problem> {
        let password = password.to_owned();
        self.run(move |memory| {
            let mut salt = [0; SALT_BYTES];
            fill(&mut salt)?;
            let mut out = [0; OUTPUT_BYTES];
            derive(
                Algorithm::Argon2id,
                Version::V0x13,
                PARAMS,
                &password,
                &salt,
                &mut out,
                memory,
            )?;
            phc(&salt, &out)
        })
        .await
    }

    /// Whether `password` is the one of `hash`. None, for a user that does not
    /// exist, and an empty one, of an erased account, cost the same and are never
    /// right.
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool, Problem> {
        let real = hash.filter(|hash| !hash.is_empty());
        let exists = real.is_some();
        let hash = real.unwrap_or(&self.dummy).to_owned();
        let password = password.to_owned();
        let right = self.run(move |memory| verify(&password, &hash, memory)).await?;
        Ok(right && exists)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Vec<Block>) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, Problem> {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            let detail = "Too many people are signing in at once; try again shortly.";
            return Err(Problem::new(Code::Overloaded, detail).after(BUSY));
        };
        let mut memory: Object<Memory> =
            self.memory.get().await.map_err(|e| internal(Failed(e.to_string())))?;
        // Both are held by the thread: a caller that goes away frees neither
        // before the work is done.
        let done = tokio::task::spawn_blocking(move || {
            let done = work(&mut memory);
            drop((memory, place));
            done
        });
        match done.await {
            Ok(done) => done.map_err(internal),
            Err(ended) => Err(internal(Failed(ended.to_string()))),
        }
    }
}

fn verify(password: &str, hash: &str, memory: &mut Vec<Block>) -> Result<bool, Failed> {
    let failed = |what: &'static str| Failed(format!("the stored hash {what}"));
    let hash = PasswordHash::new(hash).map_err(|_| failed("is not a PHC string"))?;
    let params = Params::try_from(&hash).map_err(|_| failed("has unknown parameters"))?;
    if params.m_cost() > MAX_M_COST || params.t_cost() > MAX_T_COST {
        return Err(failed("costs more than is allowed"));
    }
    let algorithm =
        Algorithm::new(hash.algorithm.as_str()).map_err(|_| failed("is not an Argon2 one"))?;
    let version = match hash.version {
        None => Version::V0x13,
        Some(v) => Version::try_from(v).map_err(|_| failed("has an unknown version"))?,
    };
    let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else {
        return Err(failed("lacks its salt or its output"));
    };
    let mut out = vec![0; expected.len()];
    derive(algorithm, version, params, password, &salt, &mut out, memory)?;
    Ok(constant_time::verify_slices_are_equal(&out, expected.as_bytes()).is_ok())
}

fn derive(
    algorithm: Algorithm,
    version: Version,
    params: Params,
    password: &str,
    salt: &[u8],
    out: &mut [u8],
    memory: &mut Vec<Block>,
) -> Result<(), Failed> {
    let usual = PARAMS.block_count();
    let needed = params.block_count().max(usual);
    if memory.len() < needed {
        memory.resize(needed, Block::new());
    }
    let done = Argon2::new(algorithm, version, params).hash_password_into_with_memory(
        password.as_bytes(),
        salt,
        out,
        memory.as_mut_slice(),
    );
    // A costlier hash does not leave the pool larger than it may be.
    memory.truncate(usual);
    memory.shrink_to_fit();
    done.map_err(|e| Failed(e.to_string()))
}

fn phc(salt: &[u8], out: &[u8]) -> Result<String, Failed> {
    let failed = |what: &str| Failed(format!("the {what} cannot be written as a PHC string"));
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&PARAMS).map_err(|_| failed("parameters"))?,
        salt: Some(Salt::new(salt).map_err(|_| failed("salt"))?),
        hash: Some(Output::new(out).map_err(|_| failed("output"))?),
    };
    Ok(hash.to_string())
}

fn fill(bytes: &mut [u8]) -> Result<(), Failed> {
    rand::fill(bytes).map_err(|_| Failed("no random bytes".into()))
}

fn internal(failed: Failed) -> Problem {
    tracing::warn!(error = %failed, "a password could not be hashed");
    Problem::new(Code::Internal, "The password could not be checked.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords(workers: usize, queue: usize) -> Passwords {
        Passwords::new(PasswordSettings { workers, queue }).expect("passwords")
    }

    #[tokio::test]
    async fn a_password_verifies_and_another_does_not() {
        let passwords = passwords(1, 4);
        let hash = passwords.hash("correct horse").await.expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(passwords.verify("correct horse", Some(&hash)).await, Ok(true));
        assert_eq!(passwords.verify("correct horsf", Some(&hash)).await, Ok(false));
        assert_ne!(passwords.hash("correct horse").await.expect("a hash"), hash);
    }

    #[tokio::test]
    async fn an_absent_user_costs_a_verification_and_is_never_right() {
        for none in [None, Some("")] {
            let passwords = passwords(1, 4);
            assert_eq!(passwords.verify("anything", none).await, Ok(false));
            let memory = passwords.memory.get().await.expect("memory");
            assert_eq!(memory.capacity(), PARAMS.block_count(), "something was hashed");
        }
        let passwords = passwords(1, 4);
        let parsed = PasswordHash::new(&passwords.dummy).expect("a PHC string");
        assert_eq!(parsed.params, ParamsString::try_from(&PARAMS).expect("parameters"));
    }

    #[tokio::test]
    async fn hashes_with_other_parameters_verify_and_leave_the_pool_as_it_was() {
        use argon2::PasswordHasher;
        let passwords = passwords(1, 4);
        for (m, t, p) in [(8, 1, 1), (32 * 1024, 1, 2)] {
            let params = Params::new(m, t, p, None).expect("parameters");
            let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                .hash_password_with_salt(b"correct horse", b"0123456789abcdef")
                .expect("a hash")
                .to_string();
            assert_eq!(passwords.verify("correct horse", Some(&hash)).await, Ok(true));
            assert_eq!(passwords.verify("wrong horse", Some(&hash)).await, Ok(false));
        }
        let memory = passwords.memory.get().await.expect("memory");
        assert_eq!(memory.capacity(), PARAMS.block_count());
    }

    #[tokio::test]
    async fn hashes_that_ask_for_too_much_or_make_no_sense_are_refused() {
        let passwords = passwords(1, 4);
        let greedy = passwords.dummy.replace("m=19456", "m=4194304");
        for hash in [greedy.as_str(), " ", "plain text", "$argon2id$v=19$m=19456,t=2,p=1"] {
            let refused = passwords.verify("x", Some(hash)).await.expect_err(hash);
            assert_eq!(refused.code, Code::Internal);
        }
    }

    #[tokio::test]
    async fn who_comes_when_too_many_wait_is_told_to_come_back() {
        let passwords = passwords(1, 2);
        let all = (0..10).map(|_| passwords.hash("correct horse"));
        let (done, refused): (Vec<_>, Vec<_>) =
            futures_util::future::join_all(all).await.into_iter().partition(Result::is_ok);
        assert_eq!(done.len(), 3, "one at work, two waiting");
        for refused in refused {
            let problem = refused.expect_err("refused");
            assert_eq!((problem.code, problem.retry_after), (Code::Overloaded, Some(BUSY)));
        }
        assert!(passwords.memory.status().size <= 1);
    }
}
