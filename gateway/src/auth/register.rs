//! A new account, and its first device.

use std::net::IpAddr;

use aws_lc_rs::{constant_time, digest, rand};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Auth, Inner, SignedIn, network, stored};
use crate::{
    model::*,
    problem::{Code, Problem},
    store::{NewDevice, NewUser},
};

impl Auth {
    /// Refuses with `registration_closed`, `rate_limited`, `invalid_field` or
    /// `username_taken`.
    pub async fn register(
        &self,
        request: RegisterRequest,
        from: IpAddr,
    ) -> Result<SignedIn, Problem> {
        let auth = &self.inner;
        if !auth.settings.registration_open {
            let detail = "New accounts are made by the operator of this service.";
            return Err(Problem::new(Code::RegistrationClosed, detail));
        }
        let username = text::username(&request.username)?;
        let password = text::password(request.password.expose())?;
        let display_name = match &request.display_name {
            Some(name) => text::display_name(name)?,
            None => username.clone(),
        };
        let label = label(request.device_label.as_deref())?;
        let rule = auth.settings.rates.register_per_address;
        auth.take(&format!("register:address:{}", network(from)), rule).await?;

        // Hashed before the name is looked at: one that is taken takes as long
        // to answer.
        let password_hash = auth.passwords.hash(&password).await?;
        let now = auth.now();
        let user = User { id: UserId::new(), username, display_name, created_at: now };
        let (device, device_secret) = new_device(user.id, label, now)?;
        let new = NewUser {
            id: user.id,
            username: user.username.clone(),
            display_name: user.display_name.clone(),
            password_hash,
            created_at: now,
        };
        auth.store.create_user(&new, &device).await.map_err(stored)?;
        auth.signed_in(user, 0, device, device_secret)
    }
}

impl Inner {
    /// The answer for a device that was just made.
    pub(super) fn signed_in(
        &self,
        user: User,
        epoch: i64,
        device: NewDevice,
        device_secret: Secret,
    ) -> Result<SignedIn, Problem> {
        let who = Principal { user: user.id, device: device.id };
        let device = Device {
            id: device.id,
            label: device.label,
            created_at: device.created_at,
            last_seen_at: device.created_at,
            current: true,
        };
        Ok(SignedIn {
            tokens: self.tokens(who, epoch, 0)?,
            device_secret,
            user,
            device,
            displaced: false,
        })
    }
}

pub(super) fn label(given: Option<&str>) -> Result<String, Problem> {
    Ok(match given {
        Some(label) => text::device_label(label)?,
        None => "Unnamed device".into(),
    })
}

/// A device and its secret, of which only the hash is kept.
pub(super) fn new_device(
    user_id: UserId,
    label: String,
    created_at: Timestamp,
) -> Result<(NewDevice, Secret), Problem> {
    let mut secret = [0; 32];
    rand::fill(&mut secret).map_err(|_| {
        Problem::new(Code::Internal, "The system has no random bytes for a new device.")
    })?;
    let secret = Secret::new(URL_SAFE_NO_PAD.encode(secret));
    let secret_hash = secret_hash(&secret);
    Ok((NewDevice { id: DeviceId::new(), user_id, label, secret_hash, created_at }, secret))
}

fn secret_hash(secret: &Secret) -> Vec<u8> {
    digest::digest(&digest::SHA256, secret.expose().as_bytes()).as_ref().to_vec()
}

pub(super) fn is_secret_of(secret: &Secret, hash: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(&secret_hash(secret), hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_secret_proves_its_own_device_only() {
        let now = Timestamp::from_millis(1_700_000_000_000).expect("a time");
        let (device, secret) = new_device(UserId::new(), "a".into(), now).expect("a device");
        let (other, _) = new_device(UserId::new(), "b".into(), now).expect("a device");
        assert!(is_secret_of(&secret, &device.secret_hash));
        assert!(!is_secret_of(&secret, &other.secret_hash));
        assert!(!is_secret_of(&secret, &[]));
        assert!(!is_secret_of(&Secret::new(""), &device.secret_hash));
        assert!(!format!("{:?}", device).contains(secret.expose()));
    }
}
