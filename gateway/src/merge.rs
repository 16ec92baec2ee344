//! Many who ask the same kind of question at once cost one answer: whatever
//! was asked while the last answer was under way is answered together by the
//! next. No timer: a lone question is answered at once. And *an answer that does
//! not come holds up nobody else*.

use std::{future::Future, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::shutdown::Shutdown;

/// How long the next questions wait for the answer before theirs.
const PATIENCE: Duration = Duration::from_millis(200);
/// Answers under way at once, all but one of them late.
const LANES: usize = 4;

/// Where questions `Q` are handed in. *An answer is never older than its
/// question.*
pub struct Merge<Q, A> {
    queue: mpsc::Sender<(Q, oneshot::Sender<A>)>,
}

impl<Q: Send + 'static, A: Send + 'static> Merge<Q, A> {
    /// At most `most` questions are answered together, and as many wait in
    /// line; whoever comes then waits for a place in it. `answer` gives as many
    /// answers as it was asked questions, in their order.
    pub fn start<F>(
        shutdown: &Shutdown,
        name: &'static str,
        most: usize,
        answer: impl Fn(Vec<Q>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Vec<A>> + Send + 'static,
    {
        let (queue, mut asked) = mpsc::channel::<(Q, oneshot::Sender<A>)>(most);
        let killed = shutdown.clone();
        shutdown.supervise(name, async move {
            let mut batch = Vec::with_capacity(most);
            let mut under_way = FuturesUnordered::new();
            loop {
                tokio::select! {
                    taken = asked.recv_many(&mut batch, most), if under_way.len() < LANES => {
                        if taken == 0 {
                            return;
                        }
                    }
                    Some(()) = under_way.next() => continue,
                    () = killed.killed() => return,
                }
                let (questions, askers): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
                let answers = answer(questions);
                under_way.push(async move {
                    for (asker, answer) in askers.into_iter().zip(answers.await) {
                        // Whoever asked may have gone.
                        let _ = asker.send(answer);
                    }
                });
                // Usually it comes soon, and what is asked meanwhile is one more.
                let _ = timeout(PATIENCE, under_way.next()).await;
            }
        });
        Self { queue }
    }

    /// None when the replica ends.
    pub async fn ask(&self, question: Q) -> Option<A> {
        let (asker, answer) = oneshot::channel();
        self.queue.send((question, asker)).await.ok()?;
        answer.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn what_is_asked_meanwhile_is_answered_together() {
        let rounds = Arc::new(AtomicUsize::new(0));
        let counted = rounds.clone();
        let merge = Merge::start(&Shutdown::new(), "test", 64, move |questions: Vec<usize>| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::task::yield_now().await;
                questions.into_iter().map(|question| question * 2).collect()
            }
        });
        let answers = join_all((0..100).map(|question| merge.ask(question))).await;
        assert!(answers.into_iter().eq((0..100).map(|question| Some(question * 2))));
        let rounds = rounds.load(Ordering::Relaxed);
        assert!(rounds <= 4, "{rounds} rounds for 100 questions");
    }

    #[tokio::test]
    async fn an_answer_that_never_comes_holds_up_nobody_else() {
        let merge =
            Merge::start(&Shutdown::new(), "test", 64, |questions: Vec<usize>| async move {
                match questions[..] {
                    [0] => std::future::pending().await,
                    _ => questions,
                }
            });
        let lost = (0..LANES - 1).map(|_| merge.ask(0)).map(Box::pin);
        let mut lost: Vec<_> = lost.collect();
        for one in &mut lost {
            assert!(timeout(PATIENCE / 10, one).await.is_err());
            // Else they would be asked together.
            assert_eq!(merge.ask(7).await, Some(7));
        }
        assert_eq!(merge.ask(8).await, Some(8));
    }
}
