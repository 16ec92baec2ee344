//! TLS of the public listener, for who has no load balancer that does it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::RwLock;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
    server::TlsStream,
};
use tracing::{error, info};

use super::stall::Impatient;

/// The certificate in use: read again when its files change, so that renewing
/// it needs no restart. Clones share it.
#[derive(Clone)]
pub struct Tls {
    files: Arc<Files>,
    current: Arc<RwLock<Current>>,
}

struct Files {
    /// The chain, the replica's own certificate first: PEM.
    certificate: PathBuf,
    key: PathBuf,
}

struct Current {
    acceptor: TlsAcceptor,
    content: Content,
}

/// What the two files held.
#[derive(PartialEq)]
struct Content {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// Why a certificate cannot be used; says nothing of what the key's file holds.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{path} cannot be read: {why}")]
    Read { path: PathBuf, why: io::Error },
    #[error("{0} holds no certificate (PEM)")]
    NoCertificate(PathBuf),
    #[error("{0} holds no private key (PEM)")]
    NoKey(PathBuf),
    #[error("{certificate} and {key} are no pair: {why}")]
    NoPair { certificate: PathBuf, key: PathBuf, why: rustls::Error },
}

impl Tls {
    pub fn open(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let files = Files { certificate: certificate.into(), key: key.into() };
        let content = files.read()?;
        let acceptor = files.acceptor(&content)?;
        let current = Arc::new(RwLock::new(Current { acceptor, content }));
        Ok(Self { files: Arc::new(files), current })
    }

    /// The handshake, with the certificate of this moment.
    pub(super) async fn accept(&self, stream: Impatient) -> io::Result<TlsStream<Impatient>> {
        let acceptor = self.current.read().acceptor.clone();
        acceptor.accept(stream).await
    }

    /// Looks at the files every `interval`, for ever. What cannot be used changes
    /// nothing and is logged once.
    pub async fn follow(self, interval: Duration) {
        let mut complaint = String::new();
        loop {
            tokio::time::sleep(interval).await;
            match self.reread() {
                Ok(changed) => {
                    complaint.clear();
                    if changed {
                        info!("the certificate has changed");
                    }
                }
                // Also for the moment between the writing of the two files.
                Err(why) if why.to_string() == complaint => {}
                Err(why) => {
                    complaint = why.to_string();
                    error!(error = %complaint, "the certificate stays as it was");
                }
            }
        }
    }

    /// Whether there was something new. A few kilobytes: compared by content,
    /// since a mounted secret is a link whose own times do not move.
    fn reread(&self) -> Result<bool, TlsError> {
        let content = self.files.read()?;
        if content == self.current.read().content {
            return Ok(false);
        }
        let acceptor = self.files.acceptor(&content)?;
        *self.current.write() = Current { acceptor, content };
        Ok(true)
    }
}

impl Files {
    fn read(&self) -> Result<Content, TlsError> {
        let read = |path: &Path| {
            fs::read(path).map_err(|why| TlsError::Read { path: path.to_owned(), why })
        };
        Ok(Content { certificate: read(&self.certificate)?, key: read(&self.key)? })
    }

    fn acceptor(&self, content: &Content) -> Result<TlsAcceptor, TlsError> {
        let Self { certificate, key } = self;
        let no_certificate = || TlsError::NoCertificate(certificate.clone());
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&content.certificate)
            .collect::<Result<_, _>>()
            .map_err(|_| no_certificate())?;
        if chain.is_empty() {
            return Err(no_certificate());
        }
        let private = PrivateKeyDer::from_pem_slice(&content.key)
            .map_err(|_| TlsError::NoKey(key.clone()))?;
        let no_pair =
            |why| TlsError::NoPair { certificate: certificate.clone(), key: key.clone(), why };
        let mut config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(no_pair)?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(no_pair)?;
        // WebSockets are upgrades of HTTP/1.1, which is all that is spoken here.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// A connection of the public listener, secured or not.
pub(super) type Stream = tokio_util::either::Either<Impatient, Box<TlsStream<Impatient>>>;

/// With the handshake done, where there is one to do.
pub(super) async fn secured(tls: Option<Tls>, stream: Impatient) -> io::Result<Stream> {
    match tls {
        // Boxed: a connection without it should not pay for its size.
        Some(tls) => Ok(Stream::Right(Box::new(tls.accept(stream).await?))),
        None => Ok(Stream::Left(stream)),
    }
}
